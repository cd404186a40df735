package rpc

import (
	"context"
	"io"
)

// callUnary makes a unary call. res is fresh from new.
func (s *clientStream) callUnary(ctx context.Context, e *endpoint, req, res any) error {
	if len(e.callChain) > 0 {
		c := interceptedUnary{s: s, req: req, res: res}
		return c.run(ctx, e.callChain)
	}
	s.alone = s.cfg.idle == 0
	if err := s.openOnly(ctx, req); err != nil {
		return err
	}
	s.keepPrivate()
	defer s.free()
	return responseError(s.call.Method, s.receive(res, (*coder).merge))
}

// interceptedUnary is a unary call with interceptors. They run on the goroutine
// of the application, around the whole call: other than those of a call that is
// opened first, they need no coroutine.
type interceptedUnary struct {
	s        *clientStream
	req, res any
	around   Stream // that the innermost interceptor has passed to next; nil: it has not
	opened   bool
	err      error // of the operations on around
	decided  bool  // a stream of an interceptor has ended them, and not the status
}

func (c *interceptedUnary) run(ctx context.Context, interceptors []Interceptor) error {
	if c.s.call.Peer == nil {
		c.s.call.Peer = new(Peer) // known when the call is open
	}
	defer c.close()
	status := chain(interceptors, c.exchange)(ctx, c.s)
	m := c.s.call.Method
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
	if c.around != nil {
		return Errorf(CodeInternal, "an interceptor of %s called next twice", c.s.call.Method.Path())
	}
	c.around = around
	if around == Stream(c.s) {
		if err := c.s.openOnly(ctx, c.req); err != nil {
			c.s.finish(err) // unless it is finished
			return err
		}
		c.opened = true
		c.err = c.s.receive(c.res, (*coder).merge)
		return c.s.state.result()
	}
	if err := c.s.open(ctx, nil); err != nil {
		return err
	}
	c.opened = true
	if c.err = exceptFinished(around.Send(c.req)); c.err == nil {
		c.err = around.Recv(c.res)
	}
	if c.decided = !c.s.state.isFinished(); c.decided {
		c.close()
	}
	return c.s.state.result()
}

// close ends the use of the call.
func (c *interceptedUnary) close() {
	if c.opened {
		_ = c.around.Close() // after the end of the call it does nothing
	}
}
