package rpc

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// RetryPolicy controls retries of failed calls: unary and server-streaming
// calls, before the first message of the response, if a second call does no
// harm. That holds for methods whose .proto says so (option idempotency_level)
// and for calls with WithRetryable. The deadline bounds all attempts together.
//
// ReadHeader and ReadTrailer return the metadata of the last attempt.
// Interceptors see one call, not its attempts.
//
// Even without a policy, a client repeats a call of any kind that the server
// certainly has not processed, on another connection. If nothing of the call
// was sent, this goes on as long as there is another connection. If the server
// has refused the call, as it does when it goes away, it happens up to four
// times, as long as no part of the response has arrived and at most 256 KiB
// were sent, not counting the message being sent.
type RetryPolicy struct {
	MaxAttempts    int           // including the first; at least 2
	Codes          []Code        // that are retried
	InitialBackoff time.Duration // upper bound of the random delay before the second attempt
	MaxBackoff     time.Duration // bound of the delay before later attempts
	Multiplier     float64       // growth of the bound with each attempt; 0 means 2
	Budget         RetryBudget
}

// RetryBudget bounds the retries of a client over all calls, so that they do
// not overload a failing server. It is a bucket of tokens: each failure with
// one of the policy's codes takes one, and each other call adds Ratio. Calls
// are retried only while it is more than half full. The zero value means 10
// tokens and a ratio of 0.1.
type RetryBudget struct {
	Tokens float64
	Ratio  float64
}

// WithRetry retries failed calls according to the policy.
func WithRetry(p RetryPolicy) ClientOption {
	return clientOption(func(c *Client) { c.retry = &retryBudget{policy: p} })
}

// validate fills in defaults and returns the first invalid field as an error.
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

// backoff returns the delay before attempt n; the first attempt is 1.
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

// validate validates the policy and fills the bucket. b may be nil.
func (b *retryBudget) validate() error {
	if b == nil {
		return nil
	}
	err := b.policy.validate()
	b.tokens = b.policy.Budget.Tokens
	return err
}

// spend records a failure, and reports whether the call may be retried.
func (b *retryBudget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = max(0, b.tokens-1)
	return b.tokens > b.policy.Budget.Tokens/2
}

// record records the status of a call.
func (b *retryBudget) record(status error) {
	if b == nil || slices.Contains(b.policy.Codes, CodeOf(status)) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.policy.Budget.Tokens, b.tokens+b.policy.Budget.Ratio)
}
