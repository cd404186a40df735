package cluster

import (
	"context"
	"errors"
	"sync"
)

// maxTopicQueueBytes bounds the messages that wait for one subscriber, unless it
// is a single one.
const maxTopicQueueBytes = 4 << 20

// keptQueueCapacity is how many items an empty queue keeps memory for.
const keptQueueCapacity = 16

type queueConfig struct {
	messages int
	policy   QueuePolicy
}

var (
	errQueueFull = errors.New("cluster: the subscriber is too slow")
	errDraining  = errors.New("cluster: the connection drains")
)

// topicQueue holds the events that wait for one subscriber.
type topicQueue struct {
	config queueConfig
	index  int           // among the queues of its topic
	wake   chan struct{} // has an item when the subscriber may continue

	mu      sync.Mutex
	waiting bool // the subscriber waits for wake
	ring    []queuedEvent
	head    int // of ring
	count   int
	bytes   int
	dropped Gap   // before the first event
	err     error // no events are accepted
}

type queuedEvent struct {
	event *topicEvent
	gap   Gap // before the event's message
}

func newTopicQueue(c queueConfig) *topicQueue {
	return &topicQueue{config: c, wake: make(chan struct{}, 1)}
}

// push adds an event, and wakes the subscriber.
func (q *topicQueue) push(e *topicEvent, gap Gap) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.add(e, gap)
		q.signal()
	}
}

// pushQuietly adds an event, and leaves the subscriber to wakeWaiting unless its
// queue is half full.
func (q *topicQueue) pushQuietly(e *topicEvent, gap Gap) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return
	}
	q.add(e, gap)
	if q.err != nil || 2*q.count >= q.config.messages || 2*q.bytes >= maxTopicQueueBytes {
		q.signal()
	}
}

// add adds an event. Successive gaps become one. mu is held.
func (q *topicQueue) add(e *topicEvent, gap Gap) {
	if !e.hasMessage && q.count > 0 {
		if last := q.at(q.count - 1); !last.event.hasMessage {
			last.event, last.gap = e, last.gap.plus(gap)
			return
		}
	}
	for e.hasMessage && q.isFull(len(e.data)) {
		if q.config.policy == EndSlow {
			q.end(errQueueFull)
			return
		}
		q.drop()
	}
	q.grow()
	q.count++
	q.bytes += len(e.data)
	*q.at(q.count - 1) = queuedEvent{e, gap}
}

// isFull reports whether a message of a size has no room. An empty queue takes
// any.
func (q *topicQueue) isFull(size int) bool {
	return q.count >= q.config.messages || q.count > 0 && q.bytes+size > maxTopicQueueBytes
}

// drop removes the oldest event, of which a gap remains.
func (q *topicQueue) drop() {
	item := q.remove()
	q.dropped = q.dropped.plus(item.gap)
	if item.event.hasMessage {
		q.dropped.Count++
	}
}

// at returns the place of the item with an index from the oldest on.
func (q *topicQueue) at(i int) *queuedEvent { return &q.ring[(q.head+i)%len(q.ring)] }

// remove removes the oldest item.
func (q *topicQueue) remove() queuedEvent {
	place := q.at(0)
	item := *place
	*place = queuedEvent{}
	q.head = (q.head + 1) % len(q.ring)
	q.count--
	q.bytes -= len(item.event.data)
	return item
}

// grow makes room for another item in the ring.
func (q *topicQueue) grow() {
	if q.count < len(q.ring) {
		return
	}
	larger := make([]queuedEvent, max(2*len(q.ring), 4))
	for i := range q.count {
		larger[i] = *q.at(i)
	}
	q.ring, q.head = larger, 0
}

// wakeWaiting wakes the subscriber if it waits and there is something.
func (q *topicQueue) wakeWaiting() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count > 0 {
		q.signal()
	}
}

// signal wakes the subscriber if it waits; mu is held.
func (q *topicQueue) signal() {
	if !q.waiting {
		return
	}
	q.waiting = false
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next returns the next event, and waits for it.
func (q *topicQueue) next(ctx context.Context, draining <-chan struct{}) (queuedEvent, error) {
	for {
		if err := ctx.Err(); err != nil {
			return queuedEvent{}, err
		}
		item, ok, err := q.pop()
		if ok || err != nil {
			return item, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
		case <-draining:
			return queuedEvent{}, errDraining
		}
	}
}

// pop returns the next event if there is one.
func (q *topicQueue) pop() (item queuedEvent, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil || q.count == 0 {
		q.waiting = q.err == nil
		return item, false, q.err
	}
	item = q.remove()
	item.gap = q.dropped.plus(item.gap)
	q.dropped = Gap{}
	if q.count == 0 && len(q.ring) > keptQueueCapacity {
		q.ring, q.head = nil, 0
	}
	return item, true, nil
}

// len returns how many events wait.
func (q *topicQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// fail ends the queue with an error.
func (q *topicQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.end(err)
		q.signal()
	}
}

// end drops what is queued. q.mu is held.
func (q *topicQueue) end(err error) {
	q.err, q.ring, q.head, q.count, q.bytes, q.dropped = err, nil, 0, 0, 0, Gap{}
}

// restart makes a queue that was full accept events again. It reports whether it
// was full, rather than ended by another error.
func (q *topicQueue) restart() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !errors.Is(q.err, errQueueFull) {
		return false
	}
	q.end(nil)
	return true
}
