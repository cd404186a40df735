package transport

import "container/list"

// waitlist is a queue of goroutines that wait for a share of something. The
// first in the queue gets its share as soon as there is enough, and no later
// one overtakes it. The mutex of its owner guards it.
type waitlist struct{ queue list.List }

// waiter is a goroutine's place in a waitlist.
type waiter struct {
	ready   chan struct{} // closed when size is granted, or no share can come
	size    int
	granted bool
	place   *list.Element // in a waitlist; nil once out of it

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
	w.place = l.queue.PushBack(w)
	return w
}

// grant grants shares, in order, as long as take returns true.
func (l *waitlist) grant(take func(size int) bool) {
	for e := l.queue.Front(); e != nil && take(e.Value.(*waiter).size); e = l.queue.Front() {
		e.Value.(*waiter).granted = true
		l.release(e)
	}
}

// dismiss ends all waits without a share.
func (l *waitlist) dismiss() {
	for e := l.queue.Front(); e != nil; e = l.queue.Front() {
		l.release(e)
	}
}

func (l *waitlist) release(e *list.Element) {
	w := l.queue.Remove(e).(*waiter)
	w.place = nil
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
