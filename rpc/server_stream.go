package rpc

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// serverStream is the callee's end of a call.
type serverStream struct {
	call         Call
	ctx          callContext
	coder        coder
	recvBuf      recvBuffer
	st           *transport.Stream // nil: it is request
	request      *servedRequest    // nil: it is st
	alias        uint64            // to be given to the caller; 0: none
	received     bool              // the only message of a call that takes one
	unregistered bool              // the method is not registered
	private      bool              // the application cannot reach the stream
	responseMark bool              // of response

	refusal error // why the call is not served; nil: it is
	handler Handler

	// The only message of a response waits here for the status. So both are
	// sent in one frame, and an error can replace it.
	response *buffer
}

// onStream accepts a call of the peer. It runs on the reader goroutine, and so
// does the parsing of the header: its cost slows down only this connection.
func (c *Conn) onStream(st *transport.Stream, header []byte) *transport.ResetError {
	s := &serverStream{st: st}
	s.init(c)
	return s.start(header)
}

// init makes s a call on a connection.
func (s *serverStream) init(c *Conn) {
	s.call.Conn, s.call.Peer, s.call.callee = c, c.Peer(), s
}

// start parses the header of the call and hands the call to a worker.
func (s *serverStream) start(header []byte) *transport.ResetError {
	c := s.call.Conn
	s.refusal = s.accept(c.e, header)
	if errors.Is(s.refusal, errPairs) {
		return &transport.ResetError{Code: transport.ResetLimit, Reason: s.refusal.Error()}
	}
	if full := c.e.inflight.acquire(&c.inflight); full != nil {
		return full
	}
	c.e.workers.run(s)
	return nil
}

// accept parses the header of the call and finds its handler. Its errors are
// *Error.
func (s *serverStream) accept(e *endpoint, header []byte) error {
	open, err := parseOpenBlock(header)
	if err != nil {
		return blockError("header of the call", err)
	}
	if open.alias != 0 && !s.call.Conn.aliases.given.has(open.alias) {
		return Errorf(CodeInternal, "unknown method alias %d: name the method", open.alias)
	}
	sm, alias, err := e.mux.find(&open)
	if err != nil {
		return err
	}
	s.unregistered = alias == 0
	if open.alias == 0 {
		s.alias = alias
	}
	if open.hasLimit {
		s.ctx.deadline = time.Now().Add(open.timeout)
	}
	s.handler = sm.Handler
	s.call.Method, s.call.request = sm.Method, open.metadata
	s.coder.limit = e.maxMessage()
	if s.coder.codec, err = e.codec(open.codec); err != nil {
		if alias != 0 && !sm.Raw || !validName(open.codec) {
			return err
		}
		s.coder.codec = rawCodec(open.codec) // the handler passes messages on as they are
	}
	if s.coder.inflate, err = e.compressor(open.encoding); err != nil {
		return err
	}
	if s.coder.compress = e.accepted(&open); s.coder.compress != nil {
		s.call.encoding = s.coder.compress.Name()
	}
	if open.hasLimit && open.timeout == 0 {
		return Errorf(CodeDeadlineExceeded, "the deadline of the call has passed")
	}
	return nil
}

// work serves the call, on a goroutine of its own.
func (s *serverStream) work() {
	c := s.call.Conn
	c.started.Wait() // a call may arrive with the handshake
	defer s.release()
	if s.refusal != nil {
		s.finish(s.refusal)
		return
	}
	s.ctx.start(&s.call)
	defer s.ctx.end()
	s.call.ctx = &s.ctx
	s.watchAbort()
	s.finish(s.runHandler(&s.ctx, s.handler))
}

// release ends the use of the stream.
func (s *serverStream) release() {
	s.call.Conn.e.inflight.release(&s.call.Conn.inflight)
	switch {
	case s.request != nil && s.request.responded:
	case s.private && !s.call.isShared():
		s.stream().Free()
	default:
		_ = s.stream().Close() // never fails
	}
}

// keepPrivate records that the handler does not pass on the stream.
func (s *serverStream) keepPrivate() { s.private = len(s.call.Conn.e.handlerChain) == 0 }

// runHandler runs the handler inside the interceptors and returns the status. A
// panic becomes CodeInternal; its text is logged and not sent.
func (s *serverStream) runHandler(ctx context.Context, h Handler) (status error) {
	c := s.call.Conn
	returned := false
	defer func() {
		if returned {
			return
		}
		r := recover()
		status = handlerFailure(s.call.Method, r, func(msg string, more ...slog.Attr) {
			c.log(ctx, slog.LevelError, msg, more...)
		})
		if r == nil { // the handler has called runtime.Goexit: runHandler does not return
			s.finish(status)
		}
	}()
	if err := chain(c.e.handlerChain, h)(ctx, s); err != nil {
		status = s.statusOf(err)
	}
	returned = true
	return status
}

// statusOf returns the status for the error of a handler, a refusal as it is.
func (s *serverStream) statusOf(err error) error {
	if _, refused := refusalReason(err); refused {
		return err
	}
	return asError(err)
}

// Call implements Stream.
func (s *serverStream) Call() *Call { return &s.call }

// codecName implements calleeEnd.
func (s *serverStream) codecName() string { return s.coder.codec.Name() }

// isUnknown implements calleeEnd.
func (s *serverStream) isUnknown() bool { return s.unregistered }

// sendHeader implements calleeEnd.
func (s *serverStream) sendHeader(ctx context.Context, header headerBlock) error {
	return s.stream().SendHeader(ctx, header.append(nil))
}

// Recv implements Stream.
func (s *serverStream) Recv(msg any) error { return s.receive(msg, (*coder).unmarshal) }

// receive is Recv with a decoder.
func (s *serverStream) receive(msg any, how decodeFunc) error {
	m, err := s.recvMessage()
	if err != nil {
		return s.call.streamError(err)
	}
	if !s.call.Method.ClientStreams && s.received {
		s.dropMessage()
		return s.tooMany()
	}
	s.received = true
	err = s.coder.decode(&s.ctx, s.call.Conn, m, msg, how)
	s.dropMessage()
	if err != nil || s.call.Method.ClientStreams {
		return notEOF(err)
	}
	// The only message of a call ends its direction.
	if m.Last {
		return nil
	}
	if _, err = s.recvMessage(); err == nil {
		s.dropMessage()
		return s.tooMany()
	}
	if err := s.call.streamError(err); !isEnd(err) {
		return err
	}
	return nil
}

// waitCtx returns the context for waiting for messages, and for room to send
// them. Only the call's deadline can end it, since everything else that ends a
// call ends its stream too. Without a deadline this avoids the creation of a
// context.
func (s *serverStream) waitCtx() context.Context {
	if s.ctx.deadline.IsZero() {
		return s.ctx.base
	}
	return &s.ctx
}

func (s *serverStream) tooMany() error {
	return Errorf(CodeInternal, "%s takes one message, received more", s.call.Method.Path())
}

// Send implements Stream.
func (s *serverStream) Send(msg any) error {
	b := getBuffer()
	mark, err := s.coder.encode(b, msg)
	if err != nil {
		b.put()
		return err
	}
	if !s.call.Method.ServerStreams {
		if s.response != nil {
			b.put()
			return Errorf(CodeInternal, "%s returned more than one message", s.call.Method.Path())
		}
		s.response, s.responseMark = b, mark
		return nil
	}
	defer b.put()
	if err := s.call.sendHeaderIfAny(); err != nil {
		return err
	}
	if err := s.stream().Send(s.waitCtx(), b.bytes, transport.SendOptions{Mark: mark}); err != nil {
		return s.call.streamError(err)
	}
	return nil
}

// CloseSend does nothing: a handler ends its direction by returning.
func (s *serverStream) CloseSend() error { return nil }

// Close does nothing: a handler ends the call by returning.
func (s *serverStream) Close() error { return nil }

// finish ends the call with the error that its handler has returned.
func (s *serverStream) finish(err error) {
	if s.response != nil {
		defer s.response.put()
	}
	if reason, refused := refusalReason(err); refused {
		s.stream().Reset(transport.ResetRefused, reason)
		return
	}
	end := endBlock{alias: s.alias, metadata: s.call.takeTrailer()}
	if end.alias != 0 {
		s.call.Conn.aliases.given.give(end.alias)
	}
	if err == nil && s.call.Method != nil && (s.response != nil || !s.call.Method.ServerStreams) {
		var done bool
		if done, err = s.sendResponse(&end); done {
			return
		}
	}
	if err != nil {
		end.status = asError(err)
	}
	if s.call.ctx != nil {
		// If this fails, sendEnd fails too.
		_ = s.call.sendHeaderIfAny()
	}
	s.sendEnd(&end)
}

// sendResponse sends the only message of a response. done is true if the end of
// the call was sent with it. Otherwise the status and the trailer must follow.
func (s *serverStream) sendResponse(end *endBlock) (done bool, err error) {
	if s.response == nil {
		return false, Errorf(CodeInternal, "%s returned no response", s.call.Method.Path())
	}
	if err := s.call.sendHeaderIfAny(); err != nil {
		return false, err
	}
	var trailer []byte
	done = end.alias == 0 && end.metadata.count() == 0
	if !done {
		b := getBuffer()
		defer b.put()
		b.bytes = end.append(b.bytes)
		trailer = b.bytes
	}
	if s.request != nil && s.request.Respond(s.response.bytes, s.responseMark, trailer) {
		s.request.responded = true
		return true, nil
	}
	if err := s.stream().Send(s.waitCtx(), s.response.bytes, transport.SendOptions{Mark: s.responseMark, End: done}); err != nil {
		return false, s.call.streamError(err)
	}
	return done, nil
}

// sendEnd sends the status. It ignores the deadline: a caller whose deadline
// has passed must still get the status. If sending fails, the caller has reset
// the call or the connection has ended.
func (s *serverStream) sendEnd(end *endBlock) {
	for {
		err := s.stream().CloseSend(context.Background(), end.append(nil))
		var limit *transport.LimitError
		switch {
		case errors.As(err, &limit) && end.shorten(int(limit.Limit)):
			continue
		case errors.Is(err, transport.ErrPartialMessage), errors.Is(err, transport.ErrConcurrent):
			status := end.status
			if status == nil {
				status = Errorf(CodeInternal, "the handler of %s returned with an incomplete message", s.call.Method.Path())
			}
			s.stream().Reset(transport.ResetApplication+transport.ResetCode(status.code), status.message)
		}
		return
	}
}
