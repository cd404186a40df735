package rpc

import (
	"context"
	"sync"
	"time"
)

// timeoutContext is the application's context with the earlier deadline of
// WithTimeout. It is part of the call's memory, and creates a context of
// package context only when a goroutine waits for its end or derives a context
// from it. A call whose answer comes in time needs none.
type timeoutContext struct {
	context.Context // of the application
	deadline        time.Time

	mu     sync.Mutex
	inner  context.Context // nil: not needed yet
	cancel context.CancelFunc
	err    error // why the context has ended, if inner is nil
}

// start makes c end after d, or with parent if that is earlier. It returns what
// the call uses as its context. end must follow.
func (c *timeoutContext) start(parent context.Context, d time.Duration) context.Context {
	deadline := time.Now().Add(d)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		return parent
	}
	c.Context, c.deadline = parent, deadline
	return c
}

// end cancels the context.
func (c *timeoutContext) end() {
	c.mu.Lock()
	cancel := c.cancel
	if c.err == nil {
		c.err = context.Canceled
	}
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Deadline implements context.Context.
func (c *timeoutContext) Deadline() (deadline time.Time, ok bool) { return c.deadline, true }

// Done implements context.Context.
func (c *timeoutContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithDeadline(c.Context, c.deadline)
		if c.err != nil {
			c.cancel() // unless it has ended by then
		}
	}
	return c.inner.Done()
}

// Err implements context.Context.
func (c *timeoutContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner.Err()
	}
	if c.err == nil {
		if c.err = c.Context.Err(); c.err == nil && time.Until(c.deadline) <= 0 {
			c.err = context.DeadlineExceeded
		}
	}
	return c.err
}

// Value implements context.Context. Package context finds inner through it, so
// that contexts derived from this one end with it and need no goroutine.
func (c *timeoutContext) Value(key any) any {
	c.mu.Lock()
	from := c.inner
	c.mu.Unlock()
	if from == nil {
		from = c.Context
	}
	return from.Value(key)
}
