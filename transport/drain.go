package transport

import (
	"context"
	"time"
)

// Drain prepares an acceptor's session to be closed without harm. It announces
// that this end goes away, and waits until the dialer has moved to another
// session, but no longer than notice. Then it refuses further streams (GoAway),
// waits until no stream is open or in use and the peer has all that was sent,
// and makes this end open no more streams.
//
// If Drain returns nil, closing the session loses nothing, or the session has
// ended. If ctx ends first, Drain returns its error, and the session continues.
//
// Without a notice (0) it starts with GoAway. It does not repeat an
// announcement. A detached session waits for its next link. One that has nothing
// to send waits for a second at most, and for notice at most: something of the
// peer may have been lost with the link.
func (s *Session) Drain(ctx context.Context, info GoAway, notice time.Duration) error {
	if s.Detached() && s.atRest() {
		_ = s.awaitPeerMoved(ctx, min(notice, returnGrace)) // or ctx has ended
		if s.Detached() && s.seal() {
			return nil
		}
	}
	if notice > 0 && s.side == Acceptor {
		_ = s.Announce(info) // else it was announced, or the session has ended
		if err := s.awaitPeerMoved(ctx, notice); err != nil {
			return err
		}
	}
	_ = s.GoAway(info) // likewise
	for {
		if err := s.awaitRest(ctx); err != nil || s.seal() {
			return err
		}
	}
}

// returnGrace is how long Drain waits for the next link of a detached session
// that has nothing to send.
const returnGrace = time.Second

// awaitPeerMoved waits until the dialer has moved, the session has ended, or
// the time is over.
func (s *Session) awaitPeerMoved(ctx context.Context, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-s.PeerStoppedOpening():
	case <-s.done:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// closeGrace is how long a dialer waits for the acceptor to close a session
// that is drained.
const closeGrace = time.Second

// Shutdown ends a dialer's session in good order, and returns when it has
// ended.
//
// The dialer stops opening streams (StopOpening). If the peer has announced
// that it goes away, Shutdown waits for its final GOAWAY, because the peer may
// open streams until then. It waits until no stream is open or in use and the
// peer has all that was sent. A peer that drains then has a second to close the
// session. Otherwise Shutdown sends GOAWAY, waits until the peer has that, and
// closes with CloseNormal. A detached session waits for its next link.
//
// If ctx ends first, Shutdown returns its error, and the session continues
// without new streams.
func (s *Session) Shutdown(ctx context.Context) error {
	if err := s.StopOpening(); err != nil && s.Err() == nil {
		return err
	}
	for {
		s.mu.Lock()
		departed := s.goAway.whenDeparted()
		s.mu.Unlock()
		if err := s.awaitEnd(ctx, departed); err != nil {
			return err
		}
		if err := s.awaitRest(ctx); err != nil {
			return err
		}
		if err := s.awaitClose(ctx); err != nil {
			return err
		}
		if s.refuseRest() {
			break
		}
	}
	// The close may be lost with its link. Then the peer must not open streams.
	if err := s.awaitRest(ctx); err != nil {
		return err
	}
	return s.Close(CloseNormal, "drained")
}

// awaitClose gives a peer that drains time to close the session.
func (s *Session) awaitClose(ctx context.Context) error {
	s.mu.Lock()
	drains := s.goAway.departed()
	s.mu.Unlock()
	if !drains {
		return nil
	}
	grace := make(chan struct{})
	defer time.AfterFunc(closeGrace, func() { close(grace) }).Stop()
	return s.awaitEnd(ctx, grace)
}

// refuseRest refuses further streams of the peer if the session is at rest.
// Streams that are on their way are never served, and the peer may repeat them.
// It reports whether the session can be closed.
func (s *Session) refuseRest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return true
	}
	if !s.isAtRest() {
		return false
	}
	_ = s.putFinalGoAway(GoAway{}) // else it was sent
	return true
}

// awaitRest waits until no stream is open or in use, and then until the peer
// has all that was sent, or until the session has ended.
func (s *Session) awaitRest(ctx context.Context) error {
	s.mu.Lock()
	idle := s.streams.whenIdle()
	s.mu.Unlock()
	if err := s.awaitEnd(ctx, idle); err != nil {
		return err
	}
	return s.awaitEnd(ctx, s.out.whenSettled())
}

// awaitEnd waits for ready or for the end of the session.
func (s *Session) awaitEnd(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
	case <-s.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// atRest reports whether no stream is open or in use, and the peer has all that
// was sent.
func (s *Session) atRest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isAtRest()
}

// isAtRest is atRest with mu held.
func (s *Session) isAtRest() bool { return s.streams.isIdle() && s.out.isSettled() }

// seal makes this end open no more streams if the session is at rest. It reports
// whether that is so, or the session has ended.
func (s *Session) seal() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return true
	case !s.isAtRest():
		return false
	}
	s.streams.stopOpening()
	return true
}
