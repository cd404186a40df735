package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// ErrFinished is returned by Send when the call has ended with status OK: the
// other end wants no more messages. What it has sent is there to be received.
var ErrFinished = errors.New("rpc: the call has ended with OK before all was sent")

// clientStream is the caller's end of a call.
type clientStream struct {
	call  Call
	conn  *Conn
	cfg   callConfig
	coder coder
	st    *transport.Stream // nil until opened
	ctx   context.Context

	release  func() // frees what bounds the call in time
	onFinish func() // called once, when the call has its status

	mu       sync.Mutex
	finished bool
	status   error // of a finished call; nil is OK
	sent     bool  // the only message of a call that takes one

	got atomic.Bool // a message was received
}

func newClientStream(c *Conn, m *Method, opts []CallOption) (*clientStream, error) {
	s := &clientStream{conn: c, call: Call{Conn: c, Method: m, Peer: &c.peer}}
	s.call.caller = s
	for _, o := range opts {
		o(&s.cfg)
	}
	if s.cfg.err != nil {
		return nil, s.cfg.err
	}
	s.call.request = s.cfg.metadata
	s.coder.limit = c.e.maxMessage()
	var err error
	if s.coder.codec, err = c.e.codec(s.cfg.codec); err != nil {
		return nil, err
	}
	if s.coder.compress, err = c.e.compressor(s.cfg.compression); err != nil {
		return nil, err
	}
	return s, nil
}

// open sends the call's header. Before it, interceptors may change it.
func (s *clientStream) open(ctx context.Context) error {
	cancel := func() {}
	if s.cfg.hasTimeout {
		ctx, cancel = context.WithTimeout(ctx, s.cfg.timeout)
	}
	if err := s.openStream(ctx); err != nil {
		cancel()
		s.finish(err)
		return err
	}
	release := cancel
	if s.call.Method.ClientStreams || s.call.Method.ServerStreams {
		// The caller of a unary call waits in Recv, which minds ctx by itself.
		stop := context.AfterFunc(ctx, func() { s.finish(transportError(ctx.Err())) })
		release = func() { stop(); cancel() }
	}
	s.mu.Lock()
	finished := s.finished
	s.release = release
	s.mu.Unlock()
	if finished {
		release()
	}
	return nil
}

func (s *clientStream) openStream(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return transportError(err)
	}
	s.ctx = ctx
	block := openBlock{
		service:  s.call.Method.Service,
		name:     s.call.Method.Name,
		alias:    s.conn.aliases.of(s.call.Method),
		codec:    s.cfg.codec,
		encoding: s.cfg.compression,
	}
	if deadline, ok := ctx.Deadline(); ok {
		block.timeout, block.hasLimit = time.Until(deadline), true
	}
	s.call.mu.Lock()
	block.metadata, s.call.headerSent = s.call.request, true
	s.call.mu.Unlock()

	b := getBuffer()
	defer b.put()
	b.bytes = block.append(b.bytes)
	st, err := s.conn.sess.Open(ctx, b.bytes)
	if err != nil {
		return s.conn.failure(err)
	}
	s.st = st
	return nil
}

func (s *clientStream) Call() *Call { return &s.call }

func (s *clientStream) Send(msg any) error {
	if err := s.mayWork("Send"); err != nil {
		return err
	}
	single := !s.call.Method.ClientStreams
	if single && !s.takeOnly() {
		return Errorf(CodeFailedPrecondition, "%s takes one message", s.call.Method.Path())
	}
	b := getBuffer()
	defer b.put()
	var mark bool
	var err error
	if b.bytes, mark, err = s.coder.encode(b.bytes, msg); err != nil {
		return s.endSend(err)
	}
	return s.sendResult(s.st.Send(s.ctx, b.bytes, transport.SendOptions{Mark: mark, End: single}))
}

// takeOnly claims the only message of a call.
func (s *clientStream) takeOnly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.sent
	s.sent = true
	return first
}

// sendResult turns the result of sending into what the application is told: the
// call's status if it is over.
func (s *clientStream) sendResult(err error) error {
	if err == nil {
		return nil
	}
	if err := s.mayWork("Send"); err != nil {
		return err
	}
	if errors.Is(err, transport.ErrConcurrent) || errors.Is(err, transport.ErrStreamClosed) {
		return Errorf(CodeFailedPrecondition, "%w", err)
	}
	if _, ended := s.st.Trailer(); !ended {
		return s.endSend(s.failure(err))
	}
	// The status has arrived, though messages before it may not have been received.
	status := s.takeEnd()
	switch m := s.call.Method; {
	case status == nil:
		return ErrFinished
	case m.ClientStreams && m.ServerStreams:
		return status // Recv has yet to return what was sent before it
	}
	return s.endSend(status)
}

// endSend ends the call and returns what a sender is told.
func (s *clientStream) endSend(status error) error {
	s.finish(status)
	if status = s.result(); status == nil {
		return ErrFinished
	}
	return status
}

// endRecv ends the call and returns what a receiver is told.
func (s *clientStream) endRecv(status error) error {
	s.finish(status)
	if status = s.result(); status == nil {
		return io.EOF
	}
	return status
}

func (s *clientStream) CloseSend() error {
	if err := s.mayWork("CloseSend"); err != nil {
		return exceptFinished(err)
	}
	if !s.call.Method.ClientStreams && !s.takeOnly() {
		return nil // the message was sent as the last
	}
	err := s.st.CloseSend(s.ctx, nil)
	if errors.Is(err, transport.ErrStreamClosed) && s.mayWork("CloseSend") == nil {
		return nil // it has been said before
	}
	return exceptFinished(s.sendResult(err))
}

// exceptFinished is err, unless that says that a call has ended with OK: then
// there is nothing left to be said to the other end.
func exceptFinished(err error) error {
	if errors.Is(err, ErrFinished) {
		return nil
	}
	return err
}

func (s *clientStream) Recv(msg any) error {
	if err := s.mayWork("Recv"); err != nil {
		if errors.Is(err, ErrFinished) {
			return io.EOF
		}
		return err
	}
	b := getBuffer()
	defer b.put()
	m, err := s.st.Recv(s.ctx, b.bytes)
	if err != nil {
		return s.recvEnd(err)
	}
	b.bytes = m.Bytes
	if err := s.beforeMessage(m); err != nil {
		return s.endRecv(err)
	}
	if err := s.coder.decode(m, msg); err != nil {
		return s.endRecv(err)
	}
	if s.call.Method.ServerStreams {
		return nil
	}
	return s.recvOnly(b)
}

// recvOnly waits for the status behind the only message of a call.
func (s *clientStream) recvOnly(b *buffer) error {
	m, err := s.st.Recv(s.ctx, b.bytes)
	if err == nil {
		b.bytes = m.Bytes
		return s.endRecv(Errorf(CodeInternal, "%s answers with more than one message", s.call.Method.Path()))
	}
	if err := s.recvEnd(err); !isEnd(err) {
		return err
	}
	return nil
}

// beforeMessage takes the callee's header over, once, and prepares for a marked
// message.
func (s *clientStream) beforeMessage(m transport.Message) error {
	if !s.got.Swap(true) {
		if err := s.takeHeader(); err != nil {
			return err
		}
	}
	if m.Mark && s.call.answerEncoding() != "" {
		s.coder.inflate = s.coder.compress
	}
	return nil
}

// recvEnd ends the call with what Recv of the stream has returned.
func (s *clientStream) recvEnd(err error) error {
	if !isEnd(err) {
		if errors.Is(err, transport.ErrConcurrent) {
			return Errorf(CodeFailedPrecondition, "%w", err)
		}
		return s.endRecv(s.failure(err))
	}
	if !s.got.Load() {
		if err := s.takeHeader(); err != nil {
			return s.endRecv(err)
		}
	}
	status := s.takeEnd()
	if status == nil && !s.got.Load() && !s.call.Method.ServerStreams {
		status = Errorf(CodeInternal, "%s answers OK without a message", s.call.Method.Path())
	}
	return s.endRecv(status)
}

// failure is the status for an error of the stream: if the call's time is up or
// its context canceled, that is the reason.
func (s *clientStream) failure(err error) error {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		return transportError(ctxErr)
	}
	return s.conn.failure(err)
}

// Close cancels the call unless it is over. A failure that has arrived counts,
// whether it was received or not.
func (s *clientStream) Close() error {
	if s.isFinished() {
		return nil
	}
	var status error
	if s.st != nil {
		if _, ended := s.st.Trailer(); ended {
			status = s.takeEnd()
		}
	}
	if status == nil {
		status = Errorf(CodeCanceled, "closed by the caller")
	}
	s.finish(status)
	return nil
}

// finish ends the call with a status, unless it has one.
func (s *clientStream) finish(status error) {
	if s.st != nil && !s.got.Load() {
		_ = s.takeHeader() // what is wrong with it does not matter any more
	}
	s.mu.Lock()
	if s.finished {
		s.mu.Unlock()
		return
	}
	s.finished, s.status = true, notEOF(status)
	s.storeMetadata()
	release := s.release
	s.mu.Unlock()

	if s.st != nil {
		_ = s.st.Close()
	}
	if release != nil {
		release()
	}
	if s.onFinish != nil {
		s.onFinish()
	}
}

// mayWork returns why an operation is in vain: the call is over, or not begun.
func (s *clientStream) mayWork(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished && s.status != nil:
		return s.status
	case s.finished:
		return ErrFinished
	case s.st == nil:
		return Errorf(CodeFailedPrecondition, "%s before the call is opened: an interceptor has to call next first", op)
	}
	return nil
}

// result returns the status of a call that is finished.
func (s *clientStream) result() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *clientStream) isFinished() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}
