package rpc

import (
	"errors"

	"github.com/parley-rpc/parley/transport"
)

// Send implements Stream.
func (s *clientStream) Send(msg any) error {
	if _, err := s.state.active("Send"); err != nil {
		return err
	}
	m := message{end: !s.call.Method.ClientStreams}
	if m.end && !s.state.claimOnly() {
		return Errorf(CodeFailedPrecondition, "%s takes one message", s.call.Method.Path())
	}
	if err := s.encode(&m, msg); err != nil {
		return s.endSend(err)
	}
	return s.transmit(&m)
}

// encode puts msg into m.
func (s *clientStream) encode(m *message, msg any) (err error) {
	m.buffer = getBuffer()
	if m.mark, err = s.coder.encode(m.buffer, msg); err != nil {
		m.put()
	}
	return err
}

// transmit sends a message on the current attempt, and buffers it for another
// one.
func (s *clientStream) transmit(m *message) error {
	a := s.state.buffered(m)
	err := a.stream().Send(s.ctx, m.bytes, m.options())
	s.state.releaseMessage(m, err)
	if err == nil {
		s.countMessage()
	}
	return s.sendResult(a, err)
}

// CloseSend implements Stream.
func (s *clientStream) CloseSend() error {
	if _, err := s.state.active("CloseSend"); err != nil {
		return exceptFinished(err)
	}
	if !s.call.Method.ClientStreams && !s.state.claimOnly() {
		return nil // the message ended the direction
	}
	a := s.state.bufferEnd()
	err := a.stream().CloseSend(s.ctx, nil)
	if _, over := s.state.active("CloseSend"); errors.Is(err, transport.ErrStreamClosed) && over == nil {
		return nil // it was closed before
	}
	return exceptFinished(s.sendResult(a, err))
}

// sendResult turns the result of sending into the error for the application:
// the status if the call is over. If a retry succeeds, it has sent everything
// again.
func (s *clientStream) sendResult(a *attempt, err error) error {
	if err == nil {
		return nil
	}
	if _, err := s.state.active("Send"); err != nil {
		return err
	}
	if errors.Is(err, transport.ErrConcurrent) || s.state.isCurrent(a) && errors.Is(err, transport.ErrStreamClosed) {
		return Errorf(CodeFailedPrecondition, "%w", err)
	}
	if _, ended := a.stream().Trailer(); !ended {
		again, status := s.retry(a, s.failure(a, err))
		if again {
			return nil
		}
		return s.endSend(status)
	}
	// The status has arrived. Messages before it may still be unread.
	status := s.acceptTrailer(a)
	switch m := s.call.Method; {
	case status == nil:
		return ErrFinished
	case m.ClientStreams && m.ServerStreams:
		return status // Recv still has to return the messages before it
	}
	again, status := s.retry(a, status)
	if again {
		return nil
	}
	return s.endSend(status)
}

// endSend ends the call and returns the error for a sender.
func (s *clientStream) endSend(status error) error {
	s.finish(status)
	if status = s.state.result(); status == nil {
		return ErrFinished
	}
	return status
}

// exceptFinished returns err, but nil for ErrFinished: then the peer needs no
// further message.
func exceptFinished(err error) error {
	if errors.Is(err, ErrFinished) {
		return nil
	}
	return err
}
