package transport

import "container/heap"

// fairQueue is a queue of streams' goroutines that wait to send heavy frames.
// It serves streams in turn by bytes: start-time fair queueing (Goyal, Vin and
// Cheng, 1996). Each frame has a start, which is where the stream's last frame
// ended or, for a stream that was idle, where the queue is now. The frame with
// the least start is next. A busy stream is not in the queue while it uses its
// quantum, so it counts as idle only when the queue is far ahead of it. The
// outbox's mu guards it.
type fairQueue struct {
	now     uint64 // the start of the frame that was granted last
	lag     uint64 // how far a busy stream may be behind now without counting as idle
	count   uint64 // of frames that ever waited: of equal starts the older is first
	waiting waiterHeap
}

func (q *fairQueue) len() int { return len(q.waiting) }

// next returns the waiter whose turn is next. The queue must not be empty.
func (q *fairQueue) next() *waiter { return q.waiting[0] }

// charge counts a frame of a stream, and returns its start.
func (q *fairQueue) charge(t *turn, size int) (start uint64) {
	start = t.finish
	if !t.busy || q.now >= start+q.lag {
		start = max(start, q.now)
	}
	t.finish = start + uint64(size)
	return start
}

// pass counts a frame that does not wait.
func (q *fairQueue) pass(t *turn, size int) { q.now = max(q.now, q.charge(t, size)) }

// add queues for room for a frame of a stream.
func (q *fairQueue) add(t *turn, size int) *waiter {
	q.count++
	w := &waiter{ready: make(chan struct{}), size: size, heavy: true, start: q.charge(t, size), number: q.count}
	heap.Push(&q.waiting, w)
	return w
}

// grant grants room, in order, as long as take returns true.
func (q *fairQueue) grant(take func(w *waiter) bool) {
	for len(q.waiting) > 0 && take(q.waiting[0]) {
		w := heap.Pop(&q.waiting).(*waiter)
		q.now = max(q.now, w.start)
		w.granted = true
		close(w.ready)
	}
}

// dismiss ends all waits without room.
func (q *fairQueue) dismiss() {
	for _, w := range q.waiting {
		w.index = -1
		close(w.ready)
	}
	q.waiting = nil
}

// leave takes w out of the queue. It reports whether w had its room already:
// the owner must take that back then.
func (q *fairQueue) leave(w *waiter) (granted bool) {
	if w.index >= 0 {
		heap.Remove(&q.waiting, w.index)
	}
	return w.granted
}

// waiterHeap is a heap by start.
type waiterHeap []*waiter

func (h waiterHeap) Len() int { return len(h) }

func (h waiterHeap) Less(i, j int) bool {
	if h[i].start != h[j].start {
		return h[i].start < h[j].start
	}
	return h[i].number < h[j].number
}

func (h waiterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *waiterHeap) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}

func (h *waiterHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.index = -1
	return w
}
