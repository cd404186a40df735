package rpc

import (
	"errors"

	"github.com/parley-rpc/parley/transport"
)

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

// transmit sends a message on the attempt that counts, and keeps it for another.
func (s *clientStream) transmit(m *message) error {
	a := s.state.buffered(m)
	err := a.st.Send(s.ctx, m.bytes, m.options())
	s.state.releaseMessage(m, err)
	if err == nil {
		s.countMessage()
	}
	return s.sendResult(a, err)
}

func (s *clientStream) CloseSend() error {
	if _, err := s.state.active("CloseSend"); err != nil {
		return exceptFinished(err)
	}
	if !s.call.Method.ClientStreams && !s.state.claimOnly() {
		return nil // the message was sent as the last
	}
	a := s.state.bufferEnd()
	err := a.st.CloseSend(s.ctx, nil)
	if _, over := s.state.active("CloseSend"); errors.Is(err, transport.ErrStreamClosed) && over == nil {
		return nil // it has been said before
	}
	return exceptFinished(s.sendResult(a, err))
}

// sendResult turns the result of sending into what the application is told: the
// call's status if it is over. With another attempt, all was sent again.
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
	if _, ended := a.st.Trailer(); !ended {
		again, status := s.retry(a, s.failure(a, err))
		if again {
			return nil
		}
		return s.endSend(status)
	}
	// The status has arrived, though messages before it may not have been received.
	status := s.acceptTrailer(a)
	switch m := s.call.Method; {
	case status == nil:
		return ErrFinished
	case m.ClientStreams && m.ServerStreams:
		return status // Recv has yet to return what was sent before it
	}
	again, status := s.retry(a, status)
	if again {
		return nil
	}
	return s.endSend(status)
}

// endSend ends the call and returns what a sender is told.
func (s *clientStream) endSend(status error) error {
	s.finish(status)
	if status = s.state.result(); status == nil {
		return ErrFinished
	}
	return status
}

// exceptFinished is err, unless that says that a call has ended with OK: then
// there is nothing left to be said to the other end.
func exceptFinished(err error) error {
	if errors.Is(err, ErrFinished) {
		return nil
	}
	return err
}
