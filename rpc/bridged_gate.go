package rpc

import "sync"

// recvGate ends the Recv of a MessageFlow with its call, and lets none start
// later.
type recvGate struct {
	interrupt func() // makes a Recv that is waiting fail

	mu      sync.Mutex
	closed  bool
	waiting bool // a Recv is running
}

// enter reports whether a Recv may start. leave must follow.
func (g *recvGate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.waiting = true
	return true
}

func (g *recvGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = false
}

// close lets no Recv start, and interrupts one that is waiting. When it
// returns, interrupt is not called any more.
func (g *recvGate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	if g.waiting && g.interrupt != nil {
		g.interrupt()
	}
}
