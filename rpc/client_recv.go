package rpc

import (
	"errors"
	"io"

	"github.com/parley-rpc/parley/transport"
)

func (s *clientStream) Recv(msg any) error { return s.receive(msg, (*coder).unmarshal) }

func (s *clientStream) receive(msg any, how decodeFunc) error {
	for {
		a, err := s.state.active("Recv")
		if err != nil {
			if errors.Is(err, ErrFinished) {
				return io.EOF
			}
			return err
		}
		if again, err := s.recv(a, msg, how); !again {
			return err
		}
	}
}

// recv receives a message. It tells whether to go on with another attempt.
func (s *clientStream) recv(a *attempt, msg any, how decodeFunc) (again bool, err error) {
	m, err := s.recvBuf.recv(s.ctx, a.st)
	if err != nil {
		return s.recvEnd(a, err)
	}
	s.countMessage()
	if err = s.beforeMessage(a, m); err == nil {
		err = s.coder.decode(s.ctx, a.conn, m, msg, how)
	}
	s.recvBuf.drop(a.st)
	switch {
	case err != nil:
		return false, s.endRecv(err)
	case s.call.Method.ServerStreams:
		return false, nil
	}
	return false, s.recvOnly(a, m)
}

// beforeMessage takes the callee's header over, once, and prepares for a marked
// message.
func (s *clientStream) beforeMessage(a *attempt, m transport.Message) error {
	if !s.received.Load() && !s.received.Swap(true) {
		s.state.commit()
		if s.private && !m.HasHeader {
			return nil // and nobody asks for the header
		}
		if err := s.pollHeader(a); err != nil {
			return err
		}
	}
	if m.Mark && s.call.responseEncoding() != "" {
		s.coder.inflate = s.coder.compress
	}
	return nil
}

// recvOnly waits for the status behind the only message of a call, which may be
// there with it.
func (s *clientStream) recvOnly(a *attempt, only transport.Message) error {
	err := io.EOF
	if !only.Last {
		if _, err = s.recvBuf.recv(s.ctx, a.st); err == nil {
			s.recvBuf.drop(a.st)
			return s.endRecv(Errorf(CodeInternal, "%s answers with more than one message", s.call.Method.Path()))
		}
	}
	if _, err := s.recvEnd(a, err); !isEnd(err) {
		return err
	}
	return nil
}

// recvEnd ends the call, or the attempt, with what Recv of the stream has returned.
func (s *clientStream) recvEnd(a *attempt, err error) (again bool, _ error) {
	if !isEnd(err) {
		if errors.Is(err, transport.ErrConcurrent) {
			return false, Errorf(CodeFailedPrecondition, "%w", err)
		}
		again, status := s.retry(a, s.failure(a, err))
		if again {
			return true, nil
		}
		return false, s.endRecv(status)
	}
	if !s.received.Load() {
		if err := s.pollHeader(a); err != nil {
			return false, s.endRecv(err)
		}
	}
	status := s.acceptTrailer(a)
	if status == nil && !s.received.Load() && !s.call.Method.ServerStreams {
		status = Errorf(CodeInternal, "%s answers OK without a message", s.call.Method.Path())
	}
	if status != nil {
		if again, status = s.retry(a, status); again {
			return true, nil
		}
	}
	return false, s.endRecv(status)
}

// endRecv ends the call and returns what a receiver is told.
func (s *clientStream) endRecv(status error) error {
	s.finish(status)
	if status = s.state.result(); status == nil {
		return io.EOF
	}
	return status
}

// failure is the status for an error of the stream: if the call's time is up or
// its context canceled, that is the reason.
func (s *clientStream) failure(a *attempt, err error) error {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		return transportError(ctxErr)
	}
	return a.conn.failure(err)
}
