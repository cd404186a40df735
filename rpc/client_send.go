package rpc

import (
	"errors"

	"github.com/parley-rpc/parley/transport"
)

func (s *clientStream) Send(msg any) error {
	if _, err := s.active("Send"); err != nil {
		return err
	}
	m := message{end: !s.call.Method.ClientStreams}
	if m.end && !s.claimOnly() {
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

// takeOnly claims the only message of a call.
func (s *clientStream) claimOnly() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.sentOnly
	s.sentOnly = true
	return first
}

// transmit sends a message on the attempt that counts, and keeps it for another.
func (s *clientStream) transmit(m *message) error {
	t := s.buffered(m)
	err := t.st.Send(s.ctx, m.bytes, m.options())
	s.releaseMessage(m, err)
	if err == nil {
		s.countMessage()
	}
	return s.sendResult(t, err)
}

func (s *clientStream) CloseSend() error {
	if _, err := s.active("CloseSend"); err != nil {
		return exceptFinished(err)
	}
	if !s.call.Method.ClientStreams && !s.claimOnly() {
		return nil // the message was sent as the last
	}
	t := s.bufferEnd()
	err := t.st.CloseSend(s.ctx, nil)
	if _, over := s.active("CloseSend"); errors.Is(err, transport.ErrStreamClosed) && over == nil {
		return nil // it has been said before
	}
	return exceptFinished(s.sendResult(t, err))
}

// sendResult turns the result of sending into what the application is told: the
// call's status if it is over. With another attempt, all was sent again.
func (s *clientStream) sendResult(t *attempt, err error) error {
	if err == nil {
		return nil
	}
	if _, err := s.active("Send"); err != nil {
		return err
	}
	if errors.Is(err, transport.ErrConcurrent) || s.isCurrent(t) && errors.Is(err, transport.ErrStreamClosed) {
		return Errorf(CodeFailedPrecondition, "%w", err)
	}
	if _, ended := t.st.Trailer(); !ended {
		again, status := s.retry(t, s.failure(t, err))
		if again {
			return nil
		}
		return s.endSend(status)
	}
	// The status has arrived, though messages before it may not have been received.
	status := s.acceptTrailer(t)
	switch m := s.call.Method; {
	case status == nil:
		return ErrFinished
	case m.ClientStreams && m.ServerStreams:
		return status // Recv has yet to return what was sent before it
	}
	again, status := s.retry(t, status)
	if again {
		return nil
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

// exceptFinished is err, unless that says that a call has ended with OK: then
// there is nothing left to be said to the other end.
func exceptFinished(err error) error {
	if errors.Is(err, ErrFinished) {
		return nil
	}
	return err
}
