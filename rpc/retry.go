package rpc

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
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
func (p *RetryPolicy) validate() error {
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
	return randUpTo(bound)
}

// retryBudget is a client's policy with its tokens.
type retryBudget struct {
	policy RetryPolicy

	mu     sync.Mutex
	tokens float64
}

// check completes the policy and fills the bucket. There may be none.
func (b *retryBudget) validate() error {
	if b == nil {
		return nil
	}
	err := b.policy.validate()
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
func (b *retryBudget) record(status error) {
	if b == nil || slices.Contains(b.policy.Codes, CodeOf(status)) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.policy.Budget.Tokens, b.tokens+b.policy.Budget.Ratio)
}
