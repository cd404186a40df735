package transport

import "context"

// Drain prepares the session's end in good order: it announces that this end goes
// away, as GoAway does if that has not happened, and waits until no stream is open
// or in use and the peer has all that was sent. With nil nothing is lost when the
// session is closed then, or it has ended already. If ctx ends before, Drain
// returns its error, and the session goes on as it was.
//
// A session without a link waits for the next one, unless it has nothing to say.
func (s *Session) Drain(ctx context.Context, info GoAway) error {
	if s.Away() && isDone(s.whenIdle()) && isDone(s.out.whenSettled()) {
		return nil
	}
	_ = s.GoAway(info) // else it has been announced, or the session has ended
	if err := s.awaitEnd(ctx, s.whenIdle()); err != nil {
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

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// whenIdle returns what is closed as soon as no stream is open or in use.
func (s *Session) whenIdle() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.noteIdle()
	return idle
}

// noteIdle tells those who wait for it that no stream is open or in use, if it is
// so; mu is held.
func (s *Session) noteIdle() {
	if s.idle != nil && len(s.streams) == 0 && s.inUse == 0 {
		close(s.idle)
		s.idle = nil
	}
}

// whenSettled returns what is closed as soon as all is written that was queued
// and, if it is kept, acknowledged.
func (o *outbox) whenSettled() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.settled == nil {
		o.settled = make(chan struct{})
	}
	settled := o.settled
	o.noteSettled()
	return settled
}

// noteSettled tells those who wait for it that nothing is left to do, if it is so;
// mu is held.
func (o *outbox) noteSettled() {
	if o.settled != nil && o.empty() && !o.writing && o.replay.size == 0 {
		close(o.settled)
		o.settled = nil
	}
}
