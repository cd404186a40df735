package transport

import (
	"fmt"
	"time"
)

// linkFailed handles the end of a link; each goroutine of the link may call it.
// If the link is lost and the session can be resumed, it becomes detached. Any
// other reason ends the session.
func (s *Session) linkFailed(a *attachment, err *CloseError) {
	s.mu.Lock()
	detached := s.detached.Load()
	current := s.link == a && !detached && s.err == nil
	late := s.link == a && detached && s.side == Acceptor // after the other goroutine of the link
	keep := current && s.resumption.enabled() && s.isLinkLoss(err)
	if keep {
		s.detached.Store(true)
		s.stopTimer()
		s.timer = time.AfterFunc(s.resumption.window, s.resumeExpired)
		s.closingLinks.Add(1)
	}
	s.mu.Unlock()
	switch {
	case keep:
		s.out.detach(a)
		s.closeLostLink(a, err)
		if s.side == Acceptor {
			s.cfg.Sessions.addDetached(s)
		}
		if s.cfg.OnDetached != nil {
			s.cfg.OnDetached(s, err)
		}
	case current:
		s.fail(err)
	case late:
		s.cfg.Sessions.addDetached(s) // more may have arrived since
	case a.resume != nil:
		_ = a.link.Close(err.onWire())
		a.resume.finish(err)
	}
}

// isLinkLoss reports whether a link that ended with err is lost, so that
// neither end has ended the session by it. A peer that goes away sends a GOAWAY
// with a status before it closes the link. Its close code without that GOAWAY
// is a proxy's. mu is held.
func (s *Session) isLinkLoss(err *CloseError) bool {
	return err.Code == CloseAbnormal || err.Code == CloseNoStatus || err.Remote && err.goesAway() && !s.goAway.ended()
}

// closeLostLink closes a lost link without a code that would end the session.
// If the link has an answer to a close frame to send, or a complaint about
// broken framing, that may take a second, so another goroutine does it.
func (s *Session) closeLostLink(a *attachment, err *CloseError) {
	code, reason := err.onWire()
	if code == CloseAbnormal || code == CloseNoStatus {
		_ = a.link.Close(CloseAbnormal, "")
		s.closingLinks.Done()
		return
	}
	go func() {
		defer s.closingLinks.Done()
		_ = a.link.Close(code, reason)
	}()
}

func (s *Session) resumeExpired() {
	s.Evict(fmt.Sprintf("not resumed within %v", s.resumption.window))
}

// Detached reports whether the session has lost its link and waits for another.
func (s *Session) Detached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detached.Load() && s.err == nil
}

// Evict ends the session if it is detached, and reports whether it was. Its
// streams fail like those of a session that was not resumed in time.
func (s *Session) Evict(reason string) bool {
	lost := &CloseError{Code: CloseAbnormal, Reason: "session lost: " + reason}
	return s.failIf(lost, s.detached.Load)
}

// updateDetached tells Sessions that more was queued, if the session is
// detached: Sessions bounds what such sessions hold.
func (s *Session) updateDetached() {
	if s.detached.Load() && s.side == Acceptor {
		s.cfg.Sessions.updateDetached(s)
	}
}

// unread returns how many bytes the session holds that have arrived and were
// not received.
func (s *Session) unread() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams.unread()
}
