package cluster

import (
	"bytes"
	"sync"
	"time"
)

// maxSeenPublishers bounds the publishers whose numbers a topic knows.
const maxSeenPublishers = 4096

// ephemeralTopic is an ephemeral topic with subscribers on this node. It has one
// subscription of the bus, whose events it numbers: that is a position.
type ephemeralTopic struct {
	hub    *topicHub
	name   string
	series uint64
	refs   int // guarded by hub.mu

	open sync.Once
	sub  BusSubscription
	err  error // of open

	mu        sync.Mutex
	queues    topicQueues
	ended     error
	number    uint64    // of the last event
	unknownAt uint64    // of the last event that told a gap of unknown size
	since     time.Time // when the bus had subscribed
	seen      map[NodeID]seenPublisher
	forgot    bool // seen lacks publishers
}

// seenPublisher is the last message that a publisher sent.
type seenPublisher struct{ series, number uint64 }

// subscribe runs a subscriber of an ephemeral topic.
func (h *topicHub) subscribe(s topicSubscription) error {
	t, err := h.acquire(s.name)
	if err != nil {
		return err
	}
	defer h.release(t)
	q := newTopicQueue(s.config.queue)
	t.attach(q, s.from)
	defer t.detach(q)
	return s.result(s.serve(q, s.give))
}

// acquire returns the topic with a name, which release releases.
func (h *topicHub) acquire(name string) (*ephemeralTopic, error) {
	h.mu.Lock()
	t := h.ephemerals[name]
	if t == nil {
		if err := h.admitLocked(); err != nil {
			h.mu.Unlock()
			return nil, err
		}
		t = &ephemeralTopic{hub: h, name: name, series: h.nextSeries(), seen: make(map[NodeID]seenPublisher)}
		h.ephemerals[name] = t
	}
	t.refs++
	h.mu.Unlock()
	t.open.Do(t.subscribe)
	if t.err != nil {
		h.release(t)
		return nil, busError(name, t.err)
	}
	return t, nil
}

// subscribe makes the subscription of the bus.
func (t *ephemeralTopic) subscribe() {
	t.sub, t.err = t.hub.bus.Subscribe(t.hub.subject("topic", t.name), t.receive)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = time.Now()
}

// release ends the subscription of the bus after the last subscriber.
func (h *topicHub) release(t *ephemeralTopic) {
	h.mu.Lock()
	t.refs--
	last := t.refs == 0
	if last {
		delete(h.ephemerals, t.name)
	}
	h.mu.Unlock()
	if last && t.sub != nil {
		_ = t.sub.Close() // nothing is received any more, either way
	}
}

// attach adds a subscriber's queue. What the subscriber has missed since its
// position is the first event in it.
func (t *ephemeralTopic) attach(q *topicQueue, from position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queues.add(q)
	if t.ended != nil {
		q.fail(t.ended)
	}
	if gap := t.missedSince(from); gap.Missing() {
		q.push(t.gapEvent(), gap)
	}
}

func (t *ephemeralTopic) detach(q *topicQueue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queues.remove(q)
}

// missedSince returns the gap between a position and the next event.
func (t *ephemeralTopic) missedSince(from position) Gap {
	switch {
	case from.kind == positionNow, from.kind == positionOldest:
		return Gap{}
	case from.kind != positionEphemeral, from.node != t.hub.id, from.series != t.series:
		return Gap{Unknown: true}
	case from.number > t.number, from.number < t.unknownAt:
		return Gap{Unknown: true}
	}
	return Gap{Count: t.number - from.number}
}

// receive is called by the bus.
func (t *ephemeralTopic) receive(m BusMessage) {
	h, payload, err := parseTopicHeader(m.Data)
	if err != nil { // of another version, perhaps
		t.tell(Gap{Unknown: true})
		return
	}
	payload = bytes.Clone(payload)
	t.mu.Lock()
	defer t.mu.Unlock()
	gap := t.missing(h)
	if h.kind == topicLast {
		t.tellLocked(gap)
		return
	}
	t.count(gap)
	t.number++
	t.queues.push(&topicEvent{position: t.position(), data: payload, hasMessage: true}, gap)
}

// missing notes the number of a publisher, and returns which of its messages
// have not come.
func (t *ephemeralTopic) missing(h topicHeader) Gap {
	before, known := t.seen[h.node]
	if !known && len(t.seen) >= maxSeenPublishers {
		clear(t.seen)
		t.forgot = true
	}
	next := h.number + 1 // after this frame
	if h.kind == topicMessage {
		next = h.number
	}
	t.seen[h.node] = seenPublisher{h.series, h.number}
	if known && before.series == h.series {
		if h.number < before.number {
			t.seen[h.node] = before
		}
		return Gap{Count: max(next, before.number+1) - (before.number + 1)}
	}
	switch missed := next - 1; {
	case missed == 0, t.since.IsZero():
	case h.age < time.Since(t.since):
		// The series has begun since, or less than the time of the message on
		// its way before that: then nothing is missing, which is not known here.
		return Gap{Count: missed}
	case t.forgot:
		return Gap{Unknown: true}
	}
	return Gap{}
}

// tell tells all subscribers a gap.
func (t *ephemeralTopic) tell(gap Gap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellLocked(gap)
}

// tellLocked tells all subscribers a gap, if it is one.
func (t *ephemeralTopic) tellLocked(gap Gap) {
	if gap.Missing() {
		t.count(gap)
		t.queues.push(t.gapEvent(), gap)
	}
}

// count counts a gap as events.
func (t *ephemeralTopic) count(gap Gap) {
	if gap.Count > 0 {
		t.number += gap.Count
		t.hub.missed.Add(gap.Count)
	}
	if gap.Unknown {
		t.number++
		t.unknownAt = t.number
	}
}

// gapEvent returns an event without a message, at the current position.
func (t *ephemeralTopic) gapEvent() *topicEvent { return &topicEvent{position: t.position()} }

func (t *ephemeralTopic) position() Position {
	return ephemeralPosition(t.hub.id, t.series, t.number)
}

// fail ends all subscribers.
func (t *ephemeralTopic) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = err
	t.queues.fail(err)
}
