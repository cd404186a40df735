package transport

import (
	"errors"
	"time"
)

// closeFlush is how long Close waits for the peer to take what is queued.
const closeFlush = time.Second

// Close ends the session: it writes what is queued, for a second at most, and
// then closes the link with code and reason. Streams that have not ended fail
// at both ends. Close returns when the session's goroutines have ended.
//
// With CloseGoingAway and CloseServiceRestart it first sends a GOAWAY which
// says that the session ends, with the status UNAVAILABLE, unless one was sent.
// Without it the peer must assume that a proxy between has closed the link.
func (s *Session) Close(code CloseCode, reason string) error {
	if code == CloseGoingAway || code == CloseServiceRestart {
		_ = s.GoAway(GoAway{Status: refusalUnavailable, Reason: reason}) // else it was sent, or the session has ended
	}
	first := s.end(&CloseError{Code: code, Reason: reason})
	s.mu.Lock()
	a := s.link
	if first {
		s.timer = time.AfterFunc(closeFlush, func() { s.closeEnded(a) })
	}
	s.mu.Unlock()
	if first && !s.out.hasWriter(a) {
		s.closeEnded(a) // there is no writer to do it
	}
	a.loops.Wait()
	s.closingLinks.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopTimer()
	return nil
}

// stopTimer stops the timer, if the session has started; mu is held.
func (s *Session) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// fail ends the session at once and drops what is queued.
func (s *Session) fail(err *CloseError) { s.failIf(err, always) }

// failIf is fail if the condition holds, as for endIf. It reports whether it
// has ended the session.
func (s *Session) failIf(err *CloseError, holds func() bool) bool {
	if !s.endIf(err, holds) {
		return false
	}
	s.out.discard()
	s.mu.Lock()
	a := s.link
	s.mu.Unlock()
	s.closeEnded(a)
	return true
}

// end ends the session with err, and reports whether it had not ended before.
// The writer continues until the queue is empty.
func (s *Session) end(err *CloseError) bool { return s.endIf(err, always) }

func always() bool { return true }

// endIf is end if holds returns true, which it calls with mu held: nothing can
// happen between the two.
func (s *Session) endIf(err *CloseError, holds func() bool) bool {
	s.mu.Lock()
	if s.err != nil || !holds() {
		s.mu.Unlock()
		return false
	}
	s.err = err
	s.stopTimer()
	s.streams.stopOpening()
	streams := s.allStreams()
	s.mu.Unlock()

	s.acks.stop()
	s.out.close(err)
	close(s.done)
	for _, st := range streams {
		st.abort(err, peerKnows)
	}
	if s.cfg.Sessions != nil {
		s.cfg.Sessions.remove(s)
	}
	if s.cfg.OnEnd != nil {
		s.cfg.OnEnd(err)
	}
	return true
}

// closeEnded closes the link of a session that has ended, with the code that
// says why.
func (s *Session) closeEnded(a *attachment) {
	var why *CloseError
	if errors.As(s.Err(), &why) {
		s.out.discard()
		_ = a.link.Close(why.onWire()) // the session has ended whatever Close returns
	}
}
