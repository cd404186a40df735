package room

import (
	"sync"

	chatv1 "github.com/parley-rpc/parley/gen/parley/chat/v1"
)

// queueLength is the maximum number of events that wait for a member. A slow
// member loses the oldest ones. In a chat the newest are worth more, and a
// member that wants all of them must read in time.
const queueLength = 64

// queue holds the events that were not sent to a member yet. put never waits,
// so no member can delay its room. The number of events is bounded, so no
// member can fill the memory.
type queue struct {
	mu     sync.Mutex
	change sync.Cond // an event was put, or the queue closed; uses mu
	events [queueLength]*chatv1.JoinResponse
	first  int
	length int
	missed uint64 // dropped since the last take
	closed bool
}

func newQueue() *queue {
	q := new(queue)
	q.change.L = &q.mu
	return q
}

// put adds an event, and drops the oldest if the queue is full. It keeps ev,
// which must not be changed any more.
func (q *queue) put(ev *chatv1.JoinResponse) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.length == queueLength {
		q.first = (q.first + 1) % queueLength
		q.length--
		q.missed++
	}
	q.events[(q.first+q.length)%queueLength] = ev
	q.length++
	q.change.Signal()
}

// take waits for the oldest event. ok is false when the queue is closed and
// empty.
func (q *queue) take() (ev *chatv1.JoinResponse, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.length == 0 && !q.closed {
		q.change.Wait()
	}
	if q.length == 0 {
		return nil, false
	}
	ev = &chatv1.JoinResponse{Missed: q.missed, Event: q.events[q.first].Event}
	q.events[q.first] = nil
	q.first = (q.first + 1) % queueLength
	q.length--
	q.missed = 0
	return ev, true
}

// close ends the queue: no more events are put.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.change.Broadcast()
}
