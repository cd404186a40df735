package rpc

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// retries counts the further attempts at a call.
type retries struct {
	unprocessed int32 // because the server had not seen the call
	byPolicy    int32 // because the policy says so

	opened atomic.Int32 // those that have been opened; for all to see
}

// maxUnseen is how often a call is repeated that was sent, and that the server has not
// seen.
const maxUnprocessed = 4

// again makes another attempt at the call after t has failed with status, if that
// is allowed, and tells whether there is one to go on with: then all that was sent
// is sent again. Otherwise it returns the status of the last attempt.
func (s *clientStream) retry(t *attempt, status error) (bool, error) {
	if s.client == nil {
		return false, status
	}
	s.retryMu.Lock()
	defer s.retryMu.Unlock()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if other, ok := s.startRetry(t, cancel); other || !ok {
		return other, status
	}
	defer s.endRetry()
	for {
		conn, err := s.pickForRepeat(ctx, t)
		if err != nil {
			status = err
		}
		if conn == nil {
			if !s.waitRetry(ctx, status) {
				return false, status
			}
			if conn, err = s.client.pick(ctx, s.cfg.waitMode, nil); err != nil {
				t, status = &attempt{}, err
				continue
			}
		}
		old, next := s.currentAttempt(), &attempt{conn: conn}
		if _, err = s.openAttempt(ctx, next, nil); err == nil {
			s.retries.opened.Add(1)
			s.call.resetResponse()
			err = s.replay(ctx, next)
		}
		switch {
		case next.st != nil && s.isCurrent(next):
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
func (s *clientStream) startRetry(t *attempt, interrupt func()) (other, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return false, false
	}
	if s.current != nil && s.current != t {
		return true, false
	}
	s.interrupt = interrupt
	return false, s.buffer.enabled
}

func (s *clientStream) endRetry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.interrupt = nil
}

// mayRepeat returns another connection for a call that was not seen on that of t,
// nil if there is no such call or connection, or why there is no connection at all.
func (s *clientStream) pickForRepeat(ctx context.Context, t *attempt) (*Conn, error) {
	if ctx.Err() != nil || !t.unprocessed() {
		return nil, nil
	}
	if !t.unsent {
		if s.retries.unprocessed >= maxUnprocessed {
			return nil, nil
		}
		s.retries.unprocessed++
	}
	conn, err := s.client.pick(ctx, s.cfg.waitMode, t.conn)
	if err != nil || conn == t.conn {
		return nil, err
	}
	return conn, nil
}

// mayRetry tells whether the policy has the call tried again after status, and
// waits until it is time.
func (s *clientStream) waitRetry(ctx context.Context, status error) bool {
	b, m := s.client.retry, s.call.Method
	if b == nil || m.ClientStreams || m.Idempotency == IdempotencyUnknown && !s.cfg.retryable || s.overRetryBuffer() ||
		ctx.Err() != nil || !slices.Contains(b.policy.Codes, CodeOf(status)) {
		return false
	}
	s.retries.byPolicy++
	if !b.spend() || int(s.retries.byPolicy) >= b.policy.MaxAttempts {
		return false
	}
	after, _ := RetryAfter(status)
	if after > b.policy.MaxBackoff {
		return false
	}
	delay := addDelays(after, b.policy.backoff(int(s.retries.byPolicy)+1))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return false
	}
	return sleep(ctx, delay)
}

// keptTooMuch reports whether more is kept than for another attempt at a call that the
// server may have seen.
func (s *clientStream) overRetryBuffer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buffer.size > maxRetryBuffer
}

// replay sends on an attempt what was sent before, and makes it the one that
// counts. It fails if the call has ended meanwhile.
func (s *clientStream) replay(ctx context.Context, t *attempt) error {
	for n := 0; ; n++ {
		m, ended, err := s.nextBuffered(t, n)
		switch {
		case err != nil:
			return err
		case m != nil:
			err = t.st.Send(ctx, m.bytes, m.options())
			s.releaseBuffered()
		case ended:
			err = t.st.CloseSend(ctx, nil)
		}
		if err != nil {
			return s.replayError(t, err)
		}
		if m == nil {
			return nil
		}
	}
}

// unfinished deals with an error of sending on an attempt: if that has ended with
// OK the other end wants no more, and the attempt counts. Otherwise it returns the
// status.
func (s *clientStream) replayError(t *attempt, err error) error {
	if _, ended := t.st.Trailer(); !ended {
		return s.failure(t, err)
	}
	if status := s.acceptTrailer(t); status != nil {
		return status
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished {
		s.current = t
	}
	return nil
}

// replayed ends the use of what nextKept has returned.
func (s *clientStream) releaseBuffered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer.readers--
}

// nextKept returns message n of those that were sent, to be used until replayed. Behind
// the last the attempt counts, and ended says that the end was sent too.
func (s *clientStream) nextBuffered(t *attempt, n int) (m *message, ended bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished && s.status == nil:
		return nil, false, ErrFinished
	case s.finished:
		return nil, false, s.status
	case !s.buffer.enabled:
		return nil, false, Errorf(CodeUnavailable, "more was sent than is kept for another attempt")
	case n < len(s.buffer.messages):
		s.buffer.readers++
		m := s.buffer.messages[n]
		return &m, false, nil
	}
	s.current = t
	s.buffer.trim()
	return nil, s.buffer.ended && s.call.Method.ClientStreams, nil
}
