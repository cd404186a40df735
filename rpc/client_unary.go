package rpc

import (
	"context"

	"github.com/parley-rpc/parley/transport"
)

// awaitUnary opens a unary call and waits for the answer of its exchange. It
// returns the zero Message if something else is to be received. If there are
// interceptors, it leaves all to finishUnary, which must follow.
func (s *clientStream) awaitUnary(ctx context.Context, e *endpoint, req any) (answer transport.Message, err error) {
	if len(e.callChain) > 0 {
		return answer, nil
	}
	s.alone = s.cfg.idle == 0
	if err := s.openOnly(ctx, req); err != nil {
		return answer, err
	}
	s.keepPrivate()
	if a := s.state.current; s.private && a.x != nil {
		ctx, deadline := s.bounds()
		answer, _ = a.x.Recv(ctx, deadline)
	}
	return answer, nil
}

// finishUnary ends a unary call. res is fresh from new.
func (s *clientStream) finishUnary(ctx context.Context, e *endpoint, req, res any, answer transport.Message) error {
	switch {
	case len(e.callChain) > 0:
		c := &interceptedUnary{req: req, res: res}
		c.adopt(s)
		defer c.end()
		return c.run(ctx, e.callChain)
	case answer.Last:
		return s.finishPrivate(answer, res)
	}
	defer s.free()
	return responseError(s.call.Method, s.receive(res, (*coder).merge))
}

// finishPrivate is recvAnswer, finish and free in one, for a call that is kept
// private: no other goroutine uses it, so it needs no lock.
func (s *clientStream) finishPrivate(answer transport.Message, res any) error {
	a := s.state.current
	defer s.freePrivate(a) // a codec of the application may panic
	err := notEOF(s.coder.decode(s.ctx, a.conn, answer, res, (*coder).merge))
	if s.client != nil {
		s.client.retry.record(err)
	}
	return responseError(s.call.Method, err)
}

// freePrivate is free for a call that is kept private and has its answer.
func (s *clientStream) freePrivate(a *attempt) {
	s.state.buffer.discard()
	s.storeMetadata()
	a.free()
	if s.cfg.hasTimeout {
		s.timeout.end()
	}
	s.recycle()
}
