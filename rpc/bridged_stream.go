package rpc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
)

// bridgedStream is the callee's end of a call that a Bridge serves.
type bridgedStream struct {
	e            *endpoint
	flow         MessageFlow
	call         Call
	handler      Handler
	coder        coder
	unregistered bool // the method is not registered
	received     bool // the only message of a call that takes one
	gate         recvGate

	mu       sync.Mutex // held while something is sent
	over     bool       // the handler has returned
	response *buffer    // the only message of a response, until the handler has returned
}

// accept finds the handler of a call. Its errors are *Error.
func (s *bridgedStream) accept(call *BridgedCall) error {
	sm, alias, err := s.e.mux.find(&openBlock{service: call.Service, name: call.Name})
	if err != nil {
		return err
	}
	if s.coder.codec, err = s.e.codec(call.Codec); err != nil {
		return err
	}
	if alias == 0 && call.Unary {
		sm.Method.ClientStreams, sm.Method.ServerStreams = false, false // find has made the Method for this call
	}
	if s.call.request, err = metadataPairs(call.Metadata, s.e.maxHeader()); err != nil {
		return err
	}
	s.coder.limit = s.e.maxMessage()
	s.handler, s.unregistered = sm.Handler, alias == 0
	s.call.Method, s.call.Peer, s.call.callee = sm.Method, call.Peer, s
	return nil
}

// run serves the call, and sends all of the response but the status, which it
// returns.
func (s *bridgedStream) run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return transportError(err)
	}
	s.call.ctx = context.WithValue(ctx, callKey{}, &s.call)
	stop := context.AfterFunc(ctx, s.gate.close)
	status := s.runHandler(s.call.ctx)
	stop()
	s.gate.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.response != nil {
		defer s.response.put()
	}
	if md := s.call.takeTrailer().decode(); len(md) > 0 {
		s.flow.SetTrailer(md)
	}
	if header, sent := s.call.takeHeader(); !sent {
		s.setHeader(header)
	}
	switch {
	case status != nil || s.call.Method.ServerStreams:
		return status
	case s.response == nil:
		return Errorf(CodeInternal, "%s returned no response", s.call.Method.Path())
	case ctx.Err() != nil:
		return transportError(ctx.Err())
	}
	return s.failure(s.flow.Send(s.response.bytes))
}

// runHandler runs the handler inside the interceptors and returns the status. A
// panic becomes CodeInternal; its text is logged and not sent.
func (s *bridgedStream) runHandler(ctx context.Context) (status error) {
	returned := false
	defer func() {
		if !returned {
			status = handlerFailure(s.call.Method, recover(), func(msg string, more ...slog.Attr) {
				s.e.log.LogAttrs(ctx, slog.LevelError, msg, more...)
			})
		}
	}()
	if err := chain(s.e.handlerChain, s.handler)(ctx, s); err != nil {
		status = asError(err)
	}
	returned = true
	return status
}

// codecName implements calleeEnd.
func (s *bridgedStream) codecName() string { return s.coder.codec.Name() }

// isUnknown implements calleeEnd.
func (s *bridgedStream) isUnknown() bool { return s.unregistered }

// sendHeader implements calleeEnd.
func (s *bridgedStream) sendHeader(_ context.Context, header headerBlock) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.returned()
	}
	s.setHeader(header)
	return s.failure(s.flow.SendHeader())
}

// setHeader passes the response header on; mu is held.
func (s *bridgedStream) setHeader(header headerBlock) {
	if md := header.metadata.decode(); len(md) > 0 {
		s.flow.SetHeader(md)
	}
}

// Call implements Stream.
func (s *bridgedStream) Call() *Call { return &s.call }

// Send implements Stream.
func (s *bridgedStream) Send(msg any) error {
	b := getBuffer()
	if err := s.coder.marshal(b, msg); err != nil {
		b.put()
		return Errorf(CodeInternal, "encode %T as %s: %w", msg, s.coder.codec.Name(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		b.put()
		return s.returned()
	case s.call.Method.ServerStreams:
		defer b.put()
		if header, sent := s.call.takeHeader(); !sent {
			s.setHeader(header)
		}
		return s.failure(s.flow.Send(b.bytes))
	case s.response != nil:
		b.put()
		return Errorf(CodeInternal, "%s returned more than one message", s.call.Method.Path())
	}
	s.response = b
	return nil
}

// returned is the error of what a goroutine of the application does too late.
func (s *bridgedStream) returned() error {
	return Errorf(CodeCanceled, "the handler of %s has returned", s.call.Method.Path())
}

// Recv implements Stream.
func (s *bridgedStream) Recv(msg any) error { return s.receive(msg, (*coder).unmarshal) }

// receive implements newReceiver.
func (s *bridgedStream) receive(msg any, how decodeFunc) error {
	data, err := s.recv()
	if err != nil {
		return s.failure(err)
	}
	if !s.call.Method.ClientStreams && s.received {
		return s.tooMany()
	}
	s.received = true
	if len(data) > s.coder.limit {
		return Errorf(CodeResourceExhausted, "message of %d bytes, the limit is %d", len(data), s.coder.limit)
	}
	if err := s.decode(data, msg, how); err != nil || s.call.Method.ClientStreams {
		return err
	}
	if _, err := s.recv(); err == nil { // the only message of a call ends its direction
		return s.tooMany()
	} else if err = s.failure(err); !isEnd(err) {
		return err
	}
	return nil
}

// recv receives a message, unless the call is over.
func (s *bridgedStream) recv() ([]byte, error) {
	if !s.gate.enter() {
		return nil, s.returned()
	}
	defer s.gate.leave()
	return s.flow.Recv()
}

func (s *bridgedStream) tooMany() error {
	return Errorf(CodeUnimplemented, "%s takes one message, received more", s.call.Method.Path())
}

// decode decodes a message. A client that makes its requests by hand, with curl
// for example, is to learn that the mistake is in its request.
func (s *bridgedStream) decode(data []byte, msg any, how decodeFunc) error {
	if raw, ok := msg.(*Raw); ok {
		*raw = append((*raw)[:0], data...)
		return nil
	}
	if err := how(&s.coder, data, msg); err != nil {
		return notEOF(Errorf(CodeInvalidArgument, "decode %T as %s: %.1000w", msg, s.coder.codec.Name(), err))
	}
	return nil
}

// CloseSend does nothing: a handler ends its direction by returning.
func (s *bridgedStream) CloseSend() error { return nil }

// Close does nothing: a handler ends the call by returning.
func (s *bridgedStream) Close() error { return nil }

// failure returns the error for the handler of an error of the flow.
func (s *bridgedStream) failure(err error) error {
	switch {
	case err == nil, isEnd(err):
		return err
	case s.call.ctx.Err() != nil:
		return bridgedStatus(s.call.ctx, transportError(s.call.ctx.Err()))
	case errors.Is(err, io.EOF):
		return notEOF(asError(err))
	}
	return asError(err)
}
