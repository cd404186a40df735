package rpc

import (
	"context"
	"iter"
	"sync"
)

// State is the state of a client's connection.
type State int

const (
	// StateIdle: there is no connection and no attempt. No call was made yet,
	// or the server has closed the connection normally. A call connects.
	StateIdle State = iota
	// StateConnecting: the client connects, or is about to because the server
	// has announced that it goes away. A call waits.
	StateConnecting
	// StateReady: calls can be made. This includes the time in which a server
	// goes away and the client moves to another connection.
	StateReady
	// StateResuming: the link is lost, and the client reconnects. Calls in
	// flight wait. New calls wait too, unless a server at another URL answers
	// first.
	StateResuming
	// StateTransientFailure: the last attempt has failed. The next one follows
	// after a delay or, if the server has refused the client, with the next
	// call.
	StateTransientFailure
	// StateShutdown: the client is closed.
	StateShutdown
)

var stateNames = [...]string{"IDLE", "CONNECTING", "READY", "RESUMING", "TRANSIENT_FAILURE", "SHUTDOWN"}

func (s State) String() string { return stateNames[s] }

// State returns the state of the client's connection. With several connections,
// as with RoundRobin, it is the state nearest to Ready.
func (c *Client) State() State {
	s, _ := c.watch.get()
	return s
}

// WaitForState waits until the state differs from from, and returns it. The
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
// to, until ctx ends or StateShutdown was seen. A slow loop may miss states
// that have passed, but never the present one.
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
	changed chan struct{} // closed at the next change; nil: no goroutine waits
}

func (w *watch) get() (State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.state, w.changed
}

// update sets the state and wakes the waiters. StateShutdown is final.
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
