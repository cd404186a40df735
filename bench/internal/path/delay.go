package path

import (
	"sync"
	"time"
)

// slabSize is the memory that chunks are read into, one after the other.
const slabSize = 256 << 10

var slabs = sync.Pool{New: func() any { return new([slabSize]byte) }}

// segment is bytes on their way, or the end of the stream.
type segment struct {
	data []byte
	due  time.Duration
	slab *[slabSize]byte // to be released after data, if this is its last segment
	end  ending
}

// ending is how a stream ends.
type ending int

const (
	open ending = iota
	closed
	reset
)

// delayQueue holds segments until they are due, in order.
type delayQueue struct {
	limit   int           // of bytes
	filled  chan struct{} // has a token if segments were added
	drained chan struct{} // has a token if segments were removed

	mu       sync.Mutex
	segments []segment
	head     int // of segments
	bytes    int
}

func newDelayQueue(limit int) *delayQueue {
	return &delayQueue{limit: limit, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// push adds a segment, and reports whether there is room for more.
func (q *delayQueue) push(s segment) (room bool) {
	q.mu.Lock()
	if q.head > 0 && len(q.segments) == cap(q.segments) {
		n := copy(q.segments, q.segments[q.head:])
		clear(q.segments[n:])
		q.segments, q.head = q.segments[:n], 0
	}
	q.segments = append(q.segments, s)
	q.bytes += len(s.data)
	room = q.bytes < q.limit
	q.mu.Unlock()
	signal(q.filled)
	return room
}

// pop appends to batch what is due at a time. If nothing is, next is when
// something will be, or -1 if the queue is empty.
func (q *delayQueue) pop(now time.Duration, batch []segment) (_ []segment, next time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.head < len(q.segments) && len(batch) < cap(batch) {
		s := q.segments[q.head]
		if s.due > now {
			return batch, s.due
		}
		q.segments[q.head] = segment{}
		q.head++
		q.bytes -= len(s.data)
		batch = append(batch, s)
	}
	if q.head == len(q.segments) {
		q.segments, q.head = q.segments[:0], 0
	}
	if len(batch) > 0 {
		signal(q.drained)
	}
	return batch, -1
}

// hasRoom reports whether there is room for more.
func (q *delayQueue) hasRoom() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes < q.limit
}

// signal puts a token into a channel of one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
