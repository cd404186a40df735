package rpc

import (
	"context"
	"errors"
	"sync"
	"time"
)

// callContext is the context of a call that is served: the context of its
// connection with the call as a value, until the call ends or its deadline
// passes. It is part of the call's memory. It creates a context of package
// context only when a goroutine waits for its end or derives a context from it.
// Most small calls need none, which saves its allocations, and a timer if there
// is a deadline.
type callContext struct {
	base     context.Context // never ends
	call     *Call
	deadline time.Time // zero: none

	mu     sync.Mutex
	inner  context.Context // nil: not needed yet
	cancel context.CancelFunc
	err    error // why the context has ended, if inner is nil
}

// start makes the context ready for use. end must follow.
func (c *callContext) start(call *Call) {
	c.call = call
	c.base = call.Conn.Context()
}

// end cancels the context, unless it has ended.
func (c *callContext) end() {
	c.mu.Lock()
	cancel := c.cancel
	if cancel == nil && c.checkEnded() == nil {
		c.err = context.Canceled
	}
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// checkEnded returns why the context has ended without inner, or nil. mu is
// held.
func (c *callContext) checkEnded() error {
	if c.err == nil && !c.deadline.IsZero() && time.Until(c.deadline) <= 0 {
		c.err = context.DeadlineExceeded
	}
	return c.err
}

// Deadline implements context.Context.
func (c *callContext) Deadline() (deadline time.Time, ok bool) {
	return c.deadline, !c.deadline.IsZero()
}

// Done implements context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		ended := c.checkEnded()
		if c.deadline.IsZero() || errors.Is(ended, context.Canceled) {
			c.inner, c.cancel = context.WithCancel(c.base)
		} else {
			c.inner, c.cancel = context.WithDeadline(c.base, c.deadline)
		}
		if ended != nil {
			c.cancel()
		}
	}
	return c.inner.Done()
}

// Err implements context.Context.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner.Err()
	}
	return c.checkEnded()
}

// Value implements context.Context. Package context finds inner through it, so
// that contexts derived from this one end with it and need no goroutine.
func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	c.mu.Lock()
	from := c.inner
	c.mu.Unlock()
	if from == nil {
		from = c.base
	}
	return from.Value(key)
}
