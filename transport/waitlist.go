package transport

import "container/list"

// waitlist is a queue of goroutines that wait for a share of something, first
// come first served. The mutex of its owner guards it. Whoever is in front is
// granted its share as soon as there is enough; nobody passes it on the way.
type waitlist struct{ queue list.List }

// waiter is a goroutine's place in a waitlist.
type waiter struct {
	ready   chan struct{} // closed when size is granted, or waiting is in vain
	size    int
	granted bool
	place   *list.Element // nil once out of the queue
}

func (l *waitlist) len() int    { return l.queue.Len() }
func (l *waitlist) empty() bool { return l.queue.Len() == 0 }

// add queues for a share of size.
func (l *waitlist) add(size int) *waiter {
	w := &waiter{ready: make(chan struct{}), size: size}
	w.place = l.queue.PushBack(w)
	return w
}

// grant serves those in front for whom take returns true.
func (l *waitlist) grant(take func(size int) bool) {
	for e := l.queue.Front(); e != nil && take(e.Value.(*waiter).size); e = l.queue.Front() {
		e.Value.(*waiter).granted = true
		l.release(e)
	}
}

// dismiss sends everybody away with nothing.
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

// leave takes w out of the queue. It tells whether w had its share already, which
// the owner takes back.
func (l *waitlist) leave(w *waiter) (granted bool) {
	if w.place != nil {
		l.queue.Remove(w.place)
		w.place = nil
	}
	return w.granted
}
