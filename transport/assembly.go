package transport

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// assembly bounds the memory of messages of several frames that a session puts
// together. It comes on top of the streams' windows, because a piece that was
// added to a message counts as read. A message reserves memory before it uses
// it, and releases it when the message is no longer used.
//
// When nothing is left, one message has the turn: it may continue to its end.
// The others wait in the order in which they came, and leave their pieces in
// the windows of their streams. So each message gets its turn as long as those
// before it end, and only their sender, which is the same peer, decides that.
// Other sessions cannot delay it: they use up neither what a session has for
// itself nor its turn (docs/design/transport.md).
type assembly struct {
	limit   uint64  // bytes; the message that has the turn may exceed it
	private uint64  // bytes that do not count in shared
	shared  *Budget // with other sessions, for the rest; nil: none

	mu      sync.Mutex
	used    uint64
	turn    *claim    // of the message that continues although nothing is left; nil: none
	waiting list.List // of *claim
}

// claim is the part of one message in an assembly.
type claim struct {
	held atomic.Bool   // there is something to release: bytes, the turn, a place in the queue
	wake chan struct{} // receives a value when it is worth while to reserve again

	// Guarded by the assembly's mu.
	bytes uint64
	place *list.Element // in waiting; nil: it does not wait
}

// tryReserve makes a claim one of size bytes, if that many are left.
func (a *assembly) tryReserve(c *claim, size int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grow(c, uint64(size))
}

// reserve is like tryReserve, but a claim that does not fit gets the turn, or
// waits if another has it. c.wake says when to try again.
func (a *assembly) reserve(c *claim, size int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	c.held.Store(true)
	switch {
	case a.turn == c || a.grow(c, uint64(size)):
		return true
	case a.turn == nil:
		a.turn = c
		return true
	case c.place == nil:
		c.place = a.waiting.PushBack(c)
	}
	return false
}

// grow makes a claim one of size bytes, if that many are left; mu is held.
func (a *assembly) grow(c *claim, size uint64) bool {
	if size > c.bytes {
		more := size - c.bytes
		if a.used+more > a.limit {
			return false
		}
		if common := a.common(a.used+more) - a.common(a.used); a.shared != nil && !a.shared.take(common) {
			return false
		}
		a.used += more
		c.bytes = size
		c.held.Store(true)
	}
	if a.unqueue(c) {
		a.wakeFirst() // there may be enough for it too
	}
	return true
}

// common returns how many of used bytes count in shared.
func (a *assembly) common(used uint64) uint64 { return max(used, a.private) - a.private }

// release gives back what a claim has.
func (a *assembly) release(c *claim) {
	if !c.held.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.held.Store(false)
	if a.shared != nil {
		a.shared.give(a.common(a.used) - a.common(a.used-c.bytes))
	}
	a.used -= c.bytes
	c.bytes = 0
	a.unqueue(c)
	if a.turn == c {
		a.turn = nil
	}
	a.wakeFirst()
}

// unqueue takes a claim out of the queue, and reports whether it was there; mu
// is held.
func (a *assembly) unqueue(c *claim) bool {
	if c.place == nil {
		return false
	}
	a.waiting.Remove(c.place)
	c.place = nil
	return true
}

// pause says that no Recv waits for the message for now: its claim keeps what
// it has and leaves the queue.
func (a *assembly) pause(c *claim) {
	if !c.held.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unqueue(c) {
		a.wakeFirst()
	}
}

// wakeFirst wakes the first claim in the queue, and gives it the turn if that
// is free; mu is held.
func (a *assembly) wakeFirst() {
	front := a.waiting.Front()
	if front == nil {
		return
	}
	c := front.Value.(*claim)
	if a.turn == nil {
		a.turn = c
		a.unqueue(c)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
