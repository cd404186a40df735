package rpc

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Recv implements Stream.
func (s *clientStream) Recv(msg any) error { return s.receive(msg, (*coder).unmarshal) }

// receive is Recv with a decoder.
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

// recv receives a message on an attempt. It reports whether to go on with
// another attempt.
func (s *clientStream) recv(a *attempt, msg any, how decodeFunc) (again bool, err error) {
	if a.x != nil {
		ctx, deadline := s.bounds()
		if m, ok := a.x.Recv(ctx, deadline); ok {
			return false, s.recvAnswer(a, m, msg, how)
		}
	}
	st := a.stream()
	m, err := s.recvBuf.recv(s.ctx, st)
	if err != nil {
		return s.recvEnd(a, err)
	}
	s.countMessage()
	if err = s.beforeMessage(a, m); err == nil {
		err = s.coder.decode(s.ctx, a.conn, m, msg, how)
	}
	s.recvBuf.drop(st)
	switch {
	case err != nil:
		return false, s.endRecv(err)
	case s.call.Method.ServerStreams:
		return false, nil
	}
	return false, s.recvOnly(a, m)
}

// recvAnswer takes the answer of an exchange: the only message, without a
// header, which says that the status is OK and that there is no trailer.
func (s *clientStream) recvAnswer(a *attempt, m transport.Message, msg any, how decodeFunc) error {
	s.countMessage()
	err := s.beforeMessage(a, m)
	if err == nil {
		err = s.coder.decode(s.ctx, a.conn, m, msg, how)
	}
	if !s.private && s.call.intercepted == nil {
		a.x.Release() // nothing frees the exchange
	}
	if err = s.endRecv(err); !isEnd(err) {
		return err
	}
	return nil
}

// bounds returns what ends the wait for an answer: a context, and a deadline
// unless that is zero.
func (s *clientStream) bounds() (context.Context, time.Time) {
	if s.timeout.Context != nil {
		return s.timeout.Context, s.timeout.deadline
	}
	return s.ctx, time.Time{}
}

// beforeMessage reads the header before the first message, and prepares to
// inflate a marked message.
func (s *clientStream) beforeMessage(a *attempt, m transport.Message) error {
	if !s.received.Load() && !s.received.Swap(true) {
		s.state.commit()
		switch {
		case m.HasHeader:
			if err := s.pollHeader(a); err != nil {
				return err
			}
		case !s.private: // otherwise the application cannot ask for it
			return s.acceptHeader(nil)
		}
	}
	if m.Mark && s.call.responseEncoding() != "" {
		s.coder.inflate = s.coder.compress
	}
	return nil
}

// recvOnly waits for the status after the only message of a call. The status
// may have arrived with the message.
func (s *clientStream) recvOnly(a *attempt, only transport.Message) error {
	err := io.EOF
	if !only.Last {
		st := a.stream()
		if _, err = s.recvBuf.recv(s.ctx, st); err == nil {
			s.recvBuf.drop(st)
			return s.endRecv(Errorf(CodeInternal, "%s returned more than one message", s.call.Method.Path()))
		}
	}
	if _, err := s.recvEnd(a, err); !isEnd(err) {
		return err
	}
	return nil
}

// recvEnd handles the error with which receiving on an attempt has ended. It
// ends the call, or starts another attempt.
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
		status = Errorf(CodeInternal, "%s returned OK without a message", s.call.Method.Path())
	}
	if status != nil {
		if again, status = s.retry(a, status); again {
			return true, nil
		}
	}
	return false, s.endRecv(status)
}

// endRecv ends the call and returns the error for a receiver.
func (s *clientStream) endRecv(status error) error {
	s.finish(status)
	if status = s.state.result(); status == nil {
		return io.EOF
	}
	return status
}

// failure returns the status for an error of an attempt's stream. If the
// context of the call has ended, its error takes precedence.
func (s *clientStream) failure(a *attempt, err error) error {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		return transportError(ctxErr)
	}
	if refused := (*headerError)(nil); errors.As(err, &refused) {
		s.state.commit()
		return refused.status
	}
	return a.conn.failure(err)
}
