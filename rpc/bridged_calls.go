package rpc

import (
	"context"
	"sync"
	"sync/atomic"
)

// bridgedCalls are the calls that bridges serve, for the shutdown of their
// server.
type bridgedCalls struct {
	inflight atomic.Int64 // counted by inflightCalls

	mu      sync.Mutex
	running map[*bridgedRun]struct{}
	stop    chan struct{} // closed when no new call is served; nil: not needed yet
	stopped bool
	idle    chan struct{} // closed when stopped and no call is running; nil: no drain waits
}

// bridgedRun is a call that is being served.
type bridgedRun struct{ cancel context.CancelCauseFunc }

// errShutdown is the status of a call that a server which shuts down does not
// serve, or cuts off.
var errShutdown = Errorf(CodeUnavailable, "the server is shutting down")

// enter counts a call until leave is called. The returned context ends when the
// server is closed.
func (b *bridgedCalls) enter(ctx context.Context) (inner context.Context, leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return nil, nil, errShutdown
	}
	run := new(bridgedRun)
	inner, run.cancel = context.WithCancelCause(ctx)
	if b.running == nil {
		b.running = make(map[*bridgedRun]struct{})
	}
	b.running[run] = struct{}{}
	return inner, func() { b.leave(run) }, nil
}

func (b *bridgedCalls) leave(run *bridgedRun) {
	run.cancel(nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.running, run)
	b.wakeIfIdle()
}

// wakeIfIdle ends the wait of drain if no call is left; mu is held.
func (b *bridgedCalls) wakeIfIdle() {
	if b.idle != nil && len(b.running) == 0 {
		close(b.idle)
		b.idle = nil
	}
}

// draining returns a channel that is closed when no new call is served.
func (b *bridgedCalls) draining() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopping()
}

// stopping is draining; mu is held.
func (b *bridgedCalls) stopping() chan struct{} {
	if b.stop == nil {
		b.stop = make(chan struct{})
	}
	return b.stop
}

// refuse refuses calls from now on; mu is held.
func (b *bridgedCalls) refuse() {
	if !b.stopped {
		b.stopped = true
		close(b.stopping())
	}
}

// drain serves no new calls, and waits for those in flight until ctx ends.
func (b *bridgedCalls) drain(ctx context.Context) error {
	b.mu.Lock()
	b.refuse()
	if len(b.running) == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close serves no new calls and ends the contexts of those in flight.
func (b *bridgedCalls) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse()
	for run := range b.running {
		run.cancel(errShutdown)
	}
}
