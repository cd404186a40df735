package rpc

import (
	"context"
	"iter"
	"sync"
)

// State is how it stands with a client's connection.
type State int

const (
	// StateIdle: there is no connection, and none is wanted: no call was made yet, or
	// the server has closed the connection in good order. A call connects.
	StateIdle State = iota
	// StateConnecting: an attempt to connect is under way, or about to be made because
	// a server has gone away in good order. A call waits for it.
	StateConnecting
	// StateReady: calls can be made. That stays so while the server goes away and the
	// client moves to another connection.
	StateReady
	// StateResuming: the link was lost, and the client is about to make another.
	// Calls in flight wait for it, and so do new ones, unless a server at another URL
	// answers before.
	StateResuming
	// StateTransientFailure: the last attempt has failed. The next is made after a
	// delay, by itself or, if the server has refused the client, with a call.
	StateTransientFailure
	// StateShutdown: the client is closed.
	StateShutdown
)

var stateNames = [...]string{"IDLE", "CONNECTING", "READY", "RESUMING", "TRANSIENT_FAILURE", "SHUTDOWN"}

func (s State) String() string { return stateNames[s] }

// State returns the state of the client's connection. With several of them, as
// with RoundRobin, it is that of the one that is nearest to Ready.
func (c *Client) State() State {
	s, _ := c.watch.get()
	return s
}

// WaitForState waits until the state is another than from, and returns it. The
// error is that of ctx.
func (c *Client) WaitForState(ctx context.Context, from State) (State, error) {
	for {
		s, changed := c.watch.get()
		if s != from {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// States ranges over the states: the present one, and then each that it changes
// to, until ctx ends or StateShutdown was seen. A loop that is slow misses what was
// over before it looked, but never the state that stays.
func (c *Client) States(ctx context.Context) iter.Seq[State] {
	return func(yield func(State) bool) {
		s := c.State()
		for yield(s) && s != StateShutdown {
			var err error
			if s, err = c.WaitForState(ctx, s); err != nil {
				return
			}
		}
	}
}

// watch is a state that can be waited for.
type watch struct {
	mu      sync.Mutex
	state   State
	changed chan struct{} // closed at the next change; nil while nobody waits
}

func (w *watch) get() (State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.state, w.changed
}

// update takes over what state returns, and wakes all who wait. Nothing follows
// StateShutdown.
func (w *watch) update(state func() State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == StateShutdown {
		return
	}
	w.state = state()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
