package rpc

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// retryState counts the further attempts at a call and makes them one at a
// time.
type retryState struct {
	opened atomic.Int32 // attempts opened after the first, for Call.Retries

	mu          sync.Mutex // held while another attempt is made
	unprocessed int        // attempts because the server had not processed the call
	byPolicy    int        // attempts because of the RetryPolicy
	request     *pairs     // the metadata of a call that was made again elsewhere
}

// maxUnprocessed is how often a call is repeated that was sent but not
// processed by the server.
const maxUnprocessed = 4

// retry makes another attempt at the call after a has failed with status, if
// one is allowed, and sends everything again that was sent. It reports whether
// there is an attempt to go on with, and otherwise returns the status of the
// last one.
func (s *clientStream) retry(a *attempt, status error) (bool, error) {
	if s.client == nil && s.cfg.reroute == nil {
		return false, markUnprocessed(a, status)
	}
	s.retries.mu.Lock()
	defer s.retries.mu.Unlock()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	if other, ok := s.state.startRetry(a, cancel); other || !ok {
		return other, markUnprocessed(a, status)
	}
	defer s.state.endRetry()
	if s.retries.request == nil {
		s.retries.request = s.call.request
	}
	for {
		conn, err := s.pickForRepeat(ctx, a, status)
		if err != nil {
			status = err
		}
		if conn == nil {
			if !s.waitRetry(ctx, status) {
				return false, markUnprocessed(a, status)
			}
			if conn, err = s.pickAgain(ctx); err != nil {
				a, status = &attempt{}, err
				continue
			}
		}
		old, next := s.state.attempt(), &attempt{conn: conn}
		if _, err = s.openAttempt(ctx, next, s.retries.request, nil); err == nil {
			s.retries.opened.Add(1)
			s.call.resetResponse()
			err = s.replay(ctx, next)
		}
		switch {
		case next.isOpen() && s.state.isCurrent(next):
			if old != nil {
				old.close()
			}
			return true, nil // if it has failed already, the next operation finds out
		case next.isOpen():
			next.close()
		}
		if s.state.isFinished() {
			return false, s.state.result()
		}
		a, status = next, err
	}
}

// pickForRepeat returns another connection for a call whose attempt a has failed
// with status, and was not processed. It returns nil if the call may have been
// processed or there is no other connection, and an error if there is no
// connection at all.
func (s *clientStream) pickForRepeat(ctx context.Context, a *attempt, status error) (*Conn, error) {
	switch {
	case ctx.Err() != nil:
		return nil, nil
	case s.reroutable(a, status):
		s.retries.unprocessed++
		return s.reroute(ctx)
	case s.client == nil, !a.unprocessed():
		return nil, nil
	}
	if !a.unsent {
		if s.retries.unprocessed >= maxUnprocessed {
			return nil, nil
		}
		s.retries.unprocessed++
	}
	conn, err := s.client.pick(ctx, s.cfg.waitMode, a.conn)
	if err != nil || conn == a.conn {
		return nil, err
	}
	return conn, nil
}

// waitRetry reports whether the RetryPolicy allows another attempt after
// status, and waits until it is due.
func (s *clientStream) waitRetry(ctx context.Context, status error) bool {
	if s.client == nil {
		return false
	}
	b, m := s.client.retry, s.call.Method
	if b == nil || m.ClientStreams || m.Idempotency == IdempotencyUnknown && !s.cfg.retryable || s.state.overRetryBuffer() ||
		ctx.Err() != nil || !slices.Contains(b.policy.Codes, CodeOf(status)) {
		return false
	}
	s.retries.byPolicy++
	if !b.spend() || s.retries.byPolicy >= b.policy.MaxAttempts {
		return false
	}
	after, _ := RetryAfter(status)
	if after > b.policy.MaxBackoff {
		return false
	}
	delay := addDelays(after, b.policy.backoff(s.retries.byPolicy+1))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return false
	}
	return sleep(ctx, delay)
}

// replay sends everything that was sent before on attempt a and makes it the
// current one. It fails if the call has ended meanwhile.
func (s *clientStream) replay(ctx context.Context, a *attempt) error {
	for n := 0; ; n++ {
		m, ended, err := s.state.nextBuffered(a, n)
		switch {
		case err != nil:
			return err
		case m != nil:
			err = a.stream().Send(ctx, m.bytes, m.options())
			s.state.releaseBuffered()
		case ended && s.call.Method.ClientStreams:
			err = a.stream().CloseSend(ctx, nil)
		}
		if err != nil {
			return s.replayError(a, err)
		}
		if m == nil {
			return nil
		}
	}
}

// replayError handles an error of replay. If the attempt has ended with OK, the
// peer needs no further message, and the attempt becomes the current one.
// Otherwise replayError returns the status.
func (s *clientStream) replayError(a *attempt, err error) error {
	if _, ended := a.stream().Trailer(); !ended {
		return s.failure(a, err)
	}
	if status := s.acceptTrailer(a); status != nil {
		return status
	}
	s.state.adopt(a)
	return nil
}
