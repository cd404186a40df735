package transport

import "container/list"

// waitlist is a queue of goroutines that wait for a share of something. The
// first in the queue gets its share as soon as there is enough, and no later
// one overtakes it. The mutex of its owner guards it.
type waitlist struct{ queue list.List }

// waiter is a goroutine's place in a waitlist.
type waiter struct {
	ready   chan struct{} // closed when size is granted, or no share can come; see exchange
	size    int
	granted bool
	place   *list.Element // in a waitlist; nil once out of it

	exchange *waitingExchange // that waits: ready receives a value instead; nil: none

	// In a fairQueue.
	heavy   bool
	start   uint64
	number  uint64
	index   int     // -1 once out of it
	quantum quantum // that was granted too
}

func (l *waitlist) len() int    { return l.queue.Len() }
func (l *waitlist) empty() bool { return l.queue.Len() == 0 }

// add queues for a share of size.
func (l *waitlist) add(size int) *waiter {
	w := &waiter{ready: make(chan struct{}), size: size}
	l.push(w)
	return w
}

func (l *waitlist) push(w *waiter) { w.place = l.queue.PushBack(w) }

// first returns the first that waits, or nil.
func (l *waitlist) first() *waiter {
	if e := l.queue.Front(); e != nil {
		return e.Value.(*waiter)
	}
	return nil
}

// grant grants shares, in order, as long as take returns true.
func (l *waitlist) grant(take func(size int) bool) {
	for w := l.first(); w != nil && take(w.size); w = l.first() {
		w.granted = true
		l.release(w)
	}
}

// dismiss ends all waits without a share.
func (l *waitlist) dismiss() {
	for w := l.first(); w != nil; w = l.first() {
		l.release(w)
	}
}

// release takes w out of the queue and wakes its goroutine.
func (l *waitlist) release(w *waiter) {
	l.queue.Remove(w.place)
	w.place = nil
	if w.exchange != nil {
		w.ready <- struct{}{}
		return
	}
	close(w.ready)
}

// leave takes w out of the queue. It reports whether w had its share already:
// the owner must take that back then.
func (l *waitlist) leave(w *waiter) (granted bool) {
	if w.place != nil {
		l.queue.Remove(w.place)
		w.place = nil
	}
	return w.granted
}
