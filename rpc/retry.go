package rpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// RetryPolicy has calls that have failed tried again: unary and server-streaming
// ones before the first message of the answer, if a second call does no harm. That
// is so for methods whose .proto says so (option idempotency_level) and for calls
// with WithRetryable. The deadline bounds all attempts together.
//
// ReadHeader and ReadTrailer show the last attempt. Interceptors see one call, not
// the attempts.
//
// Besides, and without any policy, a client repeats calls of every kind that the
// server surely has not seen, on another connection than those before. Where nothing of
// the call was sent, that goes on as long as there is another connection. Where the
// server has refused it (as it does when it goes away), it happens up to four times, as
// long as no part of the answer has come and not more than 256 KiB were sent; a message
// that is being sent does not count.
type RetryPolicy struct {
	MaxAttempts    int           // with the first; at least 2
	Codes          []Code        // with which a call is tried again
	InitialBackoff time.Duration // before the second attempt: anything up to that
	MaxBackoff     time.Duration // what it grows to
	Multiplier     float64       // by which it grows with each attempt; 0 stands for 2
	Budget         RetryBudget
}

// RetryBudget bounds the retries of a client over all calls, so that they do not
// bury a server that has trouble: a bucket of tokens, from which each failure with
// one of the policy's codes takes one, and to which each other call adds Ratio.
// Calls are tried again only while it is more than half full. The zero value stands
// for 10 tokens and a ratio of 0.1.
type RetryBudget struct {
	Tokens float64
	Ratio  float64
}

// WithRetry has calls that fail tried again, as the policy says.
func WithRetry(p RetryPolicy) ClientOption {
	return clientOption(func(c *Client) { c.retry = &retryBudget{policy: p} })
}

// check completes the policy, and tells what is wrong with it.
func (p *RetryPolicy) check() error {
	if p.Multiplier == 0 {
		p.Multiplier = 2
	}
	if p.Budget == (RetryBudget{}) {
		p.Budget = RetryBudget{Tokens: 10, Ratio: 0.1}
	}
	switch {
	case p.MaxAttempts < 2:
		return fmt.Errorf("rpc: RetryPolicy.MaxAttempts is %d, must be at least 2", p.MaxAttempts)
	case len(p.Codes) == 0, slices.Contains(p.Codes, CodeOK):
		return errors.New("rpc: RetryPolicy.Codes must name codes other than OK")
	case p.InitialBackoff < 0 || p.MaxBackoff < p.InitialBackoff:
		return fmt.Errorf("rpc: RetryPolicy.MaxBackoff is %v, must be at least InitialBackoff, %v", p.MaxBackoff, p.InitialBackoff)
	case p.Multiplier < 1:
		return fmt.Errorf("rpc: RetryPolicy.Multiplier is %v, must be at least 1", p.Multiplier)
	case p.Budget.Tokens <= 0 || p.Budget.Ratio < 0:
		return fmt.Errorf("rpc: RetryPolicy.Budget is %+v, must be positive", p.Budget)
	}
	return nil
}

// backoff is the delay before attempt n; the first is 1.
func (p *RetryPolicy) backoff(n int) time.Duration {
	bound := p.MaxBackoff
	if grown := float64(p.InitialBackoff) * math.Pow(p.Multiplier, float64(n-2)); grown < float64(bound) {
		bound = time.Duration(grown)
	}
	return upTo(bound)
}

// retryBudget is a client's policy with its tokens.
type retryBudget struct {
	policy RetryPolicy

	mu     sync.Mutex
	tokens float64
}

// check completes the policy and fills the bucket. There may be none.
func (b *retryBudget) check() error {
	if b == nil {
		return nil
	}
	err := b.policy.check()
	b.tokens = b.policy.Budget.Tokens
	return err
}

// spend books a failure, and tells whether the call may be tried again.
func (b *retryBudget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = max(0, b.tokens-1)
	return b.tokens > b.policy.Budget.Tokens/2
}

// took books how a call has ended.
func (b *retryBudget) took(status error) {
	if b == nil || slices.Contains(b.policy.Codes, CodeOf(status)) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.policy.Budget.Tokens, b.tokens+b.policy.Budget.Ratio)
}

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

// keptTooMuch reports whether more is kept than for another attempt at a call that the
// server may have seen.
func (s *clientStream) keptTooMuch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.size > maxKept
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
