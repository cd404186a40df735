package rpc

import (
	"context"
	"io"
	"sync"
)

// interceptedUnary is a unary call with interceptors. They run on the goroutine
// of the application, around the whole call: other than those of a call that is
// opened first, they need no coroutine.
//
// It is the Stream that interceptors see, and contains the Call. An interceptor
// may keep both. So the clientStream, which is larger, can be used again when
// the call is over.
type interceptedUnary struct {
	call     Call
	peer     Peer // of the call until it is open
	codec    Codec
	req, res any
	around   Stream // that the innermost interceptor has passed to next; nil: it has not
	opened   bool
	err      error // of the operations on around
	decided  bool  // a stream of an interceptor has ended them, and not the status

	mu      sync.Mutex
	s       *clientStream // nil: the call is over, and s may be another's
	users   int           // running operations on s
	retries int           // of a call that is over
	status  error         // likewise; nil is OK
}

// adopt makes c the call of s, which has not been opened.
func (c *interceptedUnary) adopt(s *clientStream) {
	own := s.call
	c.s, c.codec = s, s.coder.codec
	c.call.Conn, c.call.Method, c.call.Peer = own.Conn, own.Method, own.Peer
	c.call.caller, c.call.request = s, own.request
	c.call.intercepted = c
	if c.call.Peer == nil {
		c.call.Peer = &c.peer
	}
	s.call = &c.call
}

func (c *interceptedUnary) run(ctx context.Context, interceptors []Interceptor) error {
	defer c.close()
	status := chain(interceptors, c.exchange)(ctx, c)
	m := c.call.Method
	switch {
	case c.decided:
		return responseError(m, c.err)
	case status != nil:
		return notEOF(asError(status))
	case c.opened && c.err != nil:
		return responseError(m, io.EOF)
	case c.opened:
		return nil
	case c.around != nil:
		return asError(c.s.state.result()) // it could not be opened; the interceptors cannot change that
	}
	return Errorf(CodeInternal, "an interceptor of %s returned without calling next", m.Path())
}

// exchange is the innermost handler: it makes the call on the stream that the
// interceptors have passed on.
func (c *interceptedUnary) exchange(ctx context.Context, around Stream) error {
	s := c.acquire()
	if s == nil {
		return Errorf(CodeInternal, "an interceptor of %s called next too late", c.call.Method.Path())
	}
	defer c.release()
	if c.around != nil {
		return Errorf(CodeInternal, "an interceptor of %s called next twice", c.call.Method.Path())
	}
	c.around = around
	if around == Stream(c) {
		if err := s.openOnly(ctx, c.req); err != nil {
			s.finish(err) // unless it is finished
			return err
		}
		c.opened = true
		c.err = s.receive(c.res, (*coder).merge)
		return s.state.result()
	}
	if err := s.open(ctx, nil); err != nil {
		return err
	}
	c.opened = true
	if c.err = exceptFinished(around.Send(c.req)); c.err == nil {
		c.err = around.Recv(c.res)
	}
	if c.decided = !s.state.isFinished(); c.decided {
		c.close()
	}
	return s.state.result()
}

// close ends the use of the call.
func (c *interceptedUnary) close() {
	if c.opened {
		_ = c.around.Close() // after the end of the call it does nothing
	}
}

// end is called when the application has the result. If no goroutine uses the
// clientStream now, none will.
func (c *interceptedUnary) end() {
	s := c.s
	if !s.state.isFinished() || s.cfg.idle > 0 {
		return
	}
	if c.part(s.state.result(), int(s.retries.opened.Load())) {
		s.reuse()
	}
}

// part ends the use of the clientStream, unless an operation is running. It
// keeps what interceptors may still ask for.
func (c *interceptedUnary) part(status error, retries int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users > 0 {
		return false
	}
	c.s, c.status, c.retries = nil, status, retries
	return true
}

// acquire returns the clientStream, or nil if the call is over. Unless it is
// nil, release must follow.
func (c *interceptedUnary) acquire() *clientStream {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s != nil {
		c.users++
	}
	return c.s
}

func (c *interceptedUnary) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
}

// Call implements Stream.
func (c *interceptedUnary) Call() *Call { return &c.call }

// Send implements Stream.
func (c *interceptedUnary) Send(msg any) error {
	s := c.acquire()
	if s != nil {
		defer c.release()
		return s.Send(msg)
	}
	if c.status == nil {
		return ErrFinished
	}
	return c.status
}

// Recv implements Stream.
func (c *interceptedUnary) Recv(msg any) error {
	s := c.acquire()
	if s != nil {
		defer c.release()
		return s.Recv(msg)
	}
	if c.status == nil {
		return io.EOF
	}
	return c.status
}

// CloseSend implements Stream.
func (c *interceptedUnary) CloseSend() error {
	s := c.acquire()
	if s != nil {
		defer c.release()
		return s.CloseSend()
	}
	return c.status
}

// Close implements Stream.
func (c *interceptedUnary) Close() error {
	s := c.acquire()
	if s != nil {
		defer c.release()
		return s.Close()
	}
	return nil
}

// waitHeader waits for the response header until the call ends.
func (c *interceptedUnary) waitHeader() error {
	s := c.acquire()
	if s != nil {
		defer c.release()
		return s.waitHeader()
	}
	return c.call.headerOr(c.status)
}

// countRetries returns how often the call was made again.
func (c *interceptedUnary) countRetries() int {
	s := c.acquire()
	if s != nil {
		defer c.release()
		return int(s.retries.opened.Load())
	}
	return c.retries
}
