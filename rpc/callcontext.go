package rpc

import (
	"context"
	"sync"
	"time"
)

// callContext is the context of a call that is served: that of a connection, with
// the call as a value, until the call ends or its time is up. It is part of the
// call's memory: what the context package makes for that takes five allocations
// more, a fifth of all in a small call.
type callContext struct {
	base     context.Context // never ends
	call     *Call
	deadline time.Time // zero: none

	mu    sync.Mutex
	timer *time.Timer // ends it at the deadline; nil without one
	done  chan struct{}
	err   error // why it has ended
	after map[*afterEnd]struct{}
}

// afterEnd is what is to be called when a context has ended.
type afterEnd struct{ call func() }

// closedChannel stands for the channel of a context that ended before it had one.
var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// begin makes the context ready for use; end has to follow.
func (c *callContext) begin(call *Call, timeout time.Duration, limited bool) {
	c.call = call
	if c.base = call.Conn.base; c.base == nil {
		c.base = context.Background()
	}
	if limited {
		c.mu.Lock() // the timer may be early
		defer c.mu.Unlock()
		c.deadline = time.Now().Add(timeout)
		c.timer = time.AfterFunc(timeout, func() { c.end(context.DeadlineExceeded) })
	}
}

// end ends the context with err, unless it has ended.
func (c *callContext) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.done == nil {
		c.done = closedChannel
	} else {
		close(c.done)
	}
	after := c.after
	c.after = nil
	c.mu.Unlock()
	for f := range after {
		f.call()
	}
}

// Deadline is that of context.Context.
func (c *callContext) Deadline() (deadline time.Time, ok bool) {
	return c.deadline, !c.deadline.IsZero()
}

// Done is that of context.Context.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

// Err is that of context.Context.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Value is that of context.Context.
func (c *callContext) Value(key any) any {
	if key == (callKey{}) {
		return c.call
	}
	return c.base.Value(key)
}

// AfterFunc has f called when the context has ended. The context package looks for
// it, to end contexts that were made from this one, which takes a goroutine of each
// otherwise. Its f does not block.
func (c *callContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		go f() // the context package holds a mutex of the new context's
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*afterEnd]struct{})
	}
	run := &afterEnd{f}
	c.after[run] = struct{}{}
	c.mu.Unlock()
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waits := c.after[run]
		delete(c.after, run)
		return waits
	}
}
