package transport

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// assembly bounds what the messages of a session hold that are put together from pieces:
// memory beyond the windows of their streams, as a piece that was put to others counts as
// read. It is taken before the memory is, and given back when the message is done with.
//
// When there is nothing left, one message has the turn: it may go on up to its end. The
// others wait, first come, first served, and leave what arrives for them in the windows of
// their streams. So each gets its turn as long as those before it end, and it is for their
// peer, which is its own peer, to end them. Other sessions have no part in that: they cannot
// use up what a session has for itself, nor its turn (docs/design/transport.md).
type assembly struct {
	limit  uint64  // bytes; a message that has the turn comes on top
	own    uint64  // bytes of those that do not count with those of other sessions
	shared *Budget // with other sessions, for the rest; nil: none

	mu      sync.Mutex
	used    uint64
	turn    *claim    // whose message goes on although there is nothing left; nil: none
	waiting list.List // of *claim
}

// claim is the part of a message in an assembly.
type claim struct {
	held atomic.Bool   // there is something to be given back: bytes, the turn, a place in the queue
	wake chan struct{} // is sent to when it is worth while to try again

	// Guarded by the assembly's mu.
	bytes uint64
	place *list.Element // in waiting; nil: it does not wait
}

// tryReserve makes a claim one of size bytes, if there are as many.
func (a *assembly) tryReserve(c *claim, size int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grow(c, uint64(size))
}

// reserve is tryReserve that lets the claim wait otherwise, unless it can have the turn. The
// claim is woken when it is to try again.
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

// grow makes a claim one of size bytes, if there are as many; mu is held.
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

// common is how much of used bytes counts with those of other sessions.
func (a *assembly) common(used uint64) uint64 { return max(used, a.own) - a.own }

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

// unqueue takes a claim out of the queue, and tells whether it was there; mu is held.
func (a *assembly) unqueue(c *claim) bool {
	if c.place == nil {
		return false
	}
	a.waiting.Remove(c.place)
	c.place = nil
	return true
}

// pause is release of a claim whose message no Recv waits for now: it waits no more, and
// keeps what it has.
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

// wakeFirst wakes the first in the queue, with the turn if that is free; mu is held.
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
