package rpc

import (
	"errors"
	"io"

	"github.com/parley-rpc/parley/transport"
)

func (s *clientStream) Recv(msg any) error { return s.receive(msg, (*coder).unmarshal) }

func (s *clientStream) receive(msg any, how decodeFunc) error {
	for {
		t, err := s.active("Recv")
		if err != nil {
			if errors.Is(err, ErrFinished) {
				return io.EOF
			}
			return err
		}
		if again, err := s.recv(t, msg, how); !again {
			return err
		}
	}
}

// recv receives a message. It tells whether to go on with another attempt.
func (s *clientStream) recv(t *attempt, msg any, how decodeFunc) (again bool, err error) {
	m, err := s.recvBuf.recv(s.ctx, t.st)
	if err != nil {
		return s.recvEnd(t, err)
	}
	s.countMessage()
	if err = s.beforeMessage(t, m); err == nil {
		err = s.coder.decode(s.ctx, t.conn, m, msg, how)
	}
	s.recvBuf.drop(t.st)
	switch {
	case err != nil:
		return false, s.endRecv(err)
	case s.call.Method.ServerStreams:
		return false, nil
	}
	return false, s.recvOnly(t, m)
}

// beforeMessage takes the callee's header over, once, and prepares for a marked
// message.
func (s *clientStream) beforeMessage(t *attempt, m transport.Message) error {
	if !s.received.Load() && !s.received.Swap(true) {
		s.commit()
		if s.private && !m.HasHeader {
			return nil // and nobody asks for the header
		}
		if err := s.pollHeader(t); err != nil {
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
func (s *clientStream) recvOnly(t *attempt, only transport.Message) error {
	err := io.EOF
	if !only.Last {
		if _, err = s.recvBuf.recv(s.ctx, t.st); err == nil {
			s.recvBuf.drop(t.st)
			return s.endRecv(Errorf(CodeInternal, "%s answers with more than one message", s.call.Method.Path()))
		}
	}
	if _, err := s.recvEnd(t, err); !isEnd(err) {
		return err
	}
	return nil
}

// recvEnd ends the call, or the attempt, with what Recv of the stream has returned.
func (s *clientStream) recvEnd(t *attempt, err error) (again bool, _ error) {
	if !isEnd(err) {
		if errors.Is(err, transport.ErrConcurrent) {
			return false, Errorf(CodeFailedPrecondition, "%w", err)
		}
		again, status := s.retry(t, s.failure(t, err))
		if again {
			return true, nil
		}
		return false, s.endRecv(status)
	}
	if !s.received.Load() {
		if err := s.pollHeader(t); err != nil {
			return false, s.endRecv(err)
		}
	}
	status := s.acceptTrailer(t)
	if status == nil && !s.received.Load() && !s.call.Method.ServerStreams {
		status = Errorf(CodeInternal, "%s answers OK without a message", s.call.Method.Path())
	}
	if status != nil {
		if again, status = s.retry(t, status); again {
			return true, nil
		}
	}
	return false, s.endRecv(status)
}

// endRecv ends the call and returns what a receiver is told.
func (s *clientStream) endRecv(status error) error {
	s.finish(status)
	if status = s.result(); status == nil {
		return io.EOF
	}
	return status
}

// failure is the status for an error of the stream: if the call's time is up or
// its context canceled, that is the reason.
func (s *clientStream) failure(t *attempt, err error) error {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		return transportError(ctxErr)
	}
	return t.conn.failure(err)
}
