package rpc

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// retries counts the further attempts at a call.
type retries struct {
	unseen int32 // because the server had not seen the call
	failed int32 // because the policy says so

	made atomic.Int32 // those that have been opened; for all to see
}

// maxUnseen is how often a call is repeated that was sent, and that the server has not
// seen.
const maxUnseen = 4

// again makes another attempt at the call after t has failed with status, if that
// is allowed, and tells whether there is one to go on with: then all that was sent
// is sent again. Otherwise it returns the status of the last attempt.
func (s *clientStream) again(t *try, status error) (bool, error) {
	if s.client == nil {
		return false, status
	}
	s.retrying.Lock()
	defer s.retrying.Unlock()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if other, ok := s.beginAgain(t, cancel); other || !ok {
		return other, status
	}
	defer s.endAgain()
	for {
		conn, err := s.mayRepeat(ctx, t)
		if err != nil {
			status = err
		}
		if conn == nil {
			if !s.mayRetry(ctx, status) {
				return false, status
			}
			if conn, err = s.client.pick(ctx, s.cfg.patience, nil); err != nil {
				t, status = &try{}, err
				continue
			}
		}
		old, next := s.current(), &try{conn: conn}
		if _, err = s.openTry(ctx, next, nil); err == nil {
			s.retries.made.Add(1)
			s.call.forgetAnswer()
			err = s.replay(ctx, next)
		}
		switch {
		case next.st != nil && s.is(next):
			if old != nil {
				old.close()
			}
			return true, nil // if it has failed already, whoever uses it finds out
		case next.st != nil:
			next.close()
		}
		if s.isFinished() {
			return false, s.result()
		}
		t, status = next, err
	}
}

// beginAgain tells whether another attempt counts already, and whether one may be
// made.
func (s *clientStream) beginAgain(t *try, interrupt func()) (other, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return false, false
	}
	if s.at != nil && s.at != t {
		return true, false
	}
	s.interrupt = interrupt
	return false, s.kept.on
}

func (s *clientStream) endAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = nil
}

// mayRepeat returns another connection for a call that was not seen on that of t,
// nil if there is no such call or connection, or why there is no connection at all.
func (s *clientStream) mayRepeat(ctx context.Context, t *try) (*Conn, error) {
	if ctx.Err() != nil || !t.unseen() {
		return nil, nil
	}
	if !t.unsent {
		if s.retries.unseen >= maxUnseen {
			return nil, nil
		}
		s.retries.unseen++
	}
	conn, err := s.client.pick(ctx, s.cfg.patience, t.conn)
	if err != nil || conn == t.conn {
		return nil, err
	}
	return conn, nil
}

// mayRetry tells whether the policy has the call tried again after status, and
// waits until it is time.
func (s *clientStream) mayRetry(ctx context.Context, status error) bool {
	b, m := s.client.retry, s.call.Method
	if b == nil || m.ClientStreams || m.Idempotency == IdempotencyUnknown && !s.cfg.retryable || s.keptTooMuch() ||
		ctx.Err() != nil || !slices.Contains(b.policy.Codes, CodeOf(status)) {
		return false
	}
	s.retries.failed++
	if !b.spend() || int(s.retries.failed) >= b.policy.MaxAttempts {
		return false
	}
	after, _ := RetryAfter(status)
	if after > b.policy.MaxBackoff {
		return false
	}
	delay := plus(after, b.policy.backoff(int(s.retries.failed)+1))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return false
	}
	return sleep(ctx, delay)
}

// keptTooMuch reports whether more is kept than for another attempt at a call that the
// server may have seen.
func (s *clientStream) keptTooMuch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.size > maxKept
}

// replay sends on an attempt what was sent before, and makes it the one that
// counts. It fails if the call has ended meanwhile.
func (s *clientStream) replay(ctx context.Context, t *try) error {
	for n := 0; ; n++ {
		m, ended, err := s.nextKept(t, n)
		switch {
		case err != nil:
			return err
		case m != nil:
			err = t.st.Send(ctx, m.bytes, m.options())
			s.replayed()
		case ended:
			err = t.st.CloseSend(ctx, nil)
		}
		if err != nil {
			return s.unfinished(t, err)
		}
		if m == nil {
			return nil
		}
	}
}

// unfinished deals with an error of sending on an attempt: if that has ended with
// OK the other end wants no more, and the attempt counts. Otherwise it returns the
// status.
func (s *clientStream) unfinished(t *try, err error) error {
	if _, ended := t.st.Trailer(); !ended {
		return s.failure(t, err)
	}
	if status := s.takeEnd(t); status != nil {
		return status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished {
		s.at = t
	}
	return nil
}

// replayed ends the use of what nextKept has returned.
func (s *clientStream) replayed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept.users--
}

// nextKept returns message n of those that were sent, to be used until replayed. Behind
// the last the attempt counts, and ended says that the end was sent too.
func (s *clientStream) nextKept(t *try, n int) (m *message, ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished && s.status == nil:
		return nil, false, ErrFinished
	case s.finished:
		return nil, false, s.status
	case !s.kept.on:
		return nil, false, Errorf(CodeUnavailable, "more was sent than is kept for another attempt")
	case n < len(s.kept.messages):
		s.kept.users++
		m := s.kept.messages[n]
		return &m, false, nil
	}
	s.at = t
	s.kept.trim()
	return nil, s.kept.ended && s.call.Method.ClientStreams, nil
}
