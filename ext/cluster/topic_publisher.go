package cluster

import (
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// Times of a publisher.
const (
	topicLastDelay     = 500 * time.Millisecond // after the last message, its number is told
	topicPublisherIdle = time.Minute            // after the last message, the publisher goes
	keptTopicBuffer    = 16 << 10
)

// topicPublisher numbers what this node publishes to an ephemeral topic. It
// exists until the node has not published for a minute; then its subscribers
// know the last number.
type topicPublisher struct {
	hub     *topicHub
	name    string
	subject string
	series  uint64
	began   time.Time

	mu      sync.Mutex
	number  uint64    // of the last message
	last    time.Time // when that was published
	pending bool      // its number is to be told
	expired bool      // the hub has another publisher, or none
	buf     []byte    // for encoding
}

// publish sends a message to an ephemeral topic.
func (h *topicHub) publish(name string, msg proto.Message) error {
	for {
		p, err := h.publisher(name)
		if err != nil {
			return err
		}
		if done, err := p.publish(msg); done {
			return err
		}
		h.removePublisher(p)
	}
}

// publisher returns the publisher of a topic.
func (h *topicHub) publisher(name string) (*topicPublisher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.publishers[name]; p != nil {
		return p, nil
	}
	if h.closed {
		return nil, errHubClosed()
	}
	if len(h.publishers) >= maxTopicPublishers {
		return nil, rpc.Errorf(rpc.CodeResourceExhausted, "this node has published to %d topics within a minute: no more are allowed", maxTopicPublishers)
	}
	now := time.Now()
	p := &topicPublisher{hub: h, name: name, subject: h.subject("topic", name), series: h.nextSeries(), began: now, last: now}
	h.publishers[name] = p
	h.armLocked(topicPublisherIdle)
	return p, nil
}

func (h *topicHub) removePublisher(p *topicPublisher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.publishers[p.name] == p {
		delete(h.publishers, p.name)
	}
}

// publish sends a message. It reports false if the publisher has expired.
func (p *topicPublisher) publish(msg proto.Message) (done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.expired {
		return false, nil
	}
	data, err := appendTopicMessage(p.header(topicMessage, p.number+1), p.name, msg)
	if err != nil {
		return true, err
	}
	p.keep(data)
	if err := p.hub.bus.Publish(p.subject, data); err != nil {
		return true, busError(p.name, err)
	}
	p.number++
	p.last = time.Now()
	if !p.pending {
		p.pending = true
		p.hub.arm(topicLastDelay)
	}
	return true, nil
}

// appendTopicMessage appends an encoded message of a topic to dst.
func appendTopicMessage(dst []byte, topic string, msg proto.Message) ([]byte, error) {
	data, err := rpc.ProtoCodec().MarshalAppend(dst, msg)
	if err != nil {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "topic %q: message: %w", topic, err)
	}
	if size := len(data) - len(dst); size > MaxTopicMessage {
		return nil, rpc.Errorf(rpc.CodeResourceExhausted, "topic %q: message of %d bytes: at most %d are allowed", topic, size, MaxTopicMessage)
	}
	return data, nil
}

// header returns a header, with p.buf as memory.
func (p *topicPublisher) header(kind topicFrame, number uint64) []byte {
	h := topicHeader{kind: kind, node: p.hub.id, series: p.series, number: number, age: time.Since(p.began)}
	return h.append(p.buf[:0])
}

// keep keeps a buffer for the next message, unless it is large.
func (p *topicPublisher) keep(buf []byte) {
	if cap(buf) <= keptTopicBuffer {
		p.buf = buf
	}
}

// tick tells the last number if that is due. It returns when the publisher has
// something to do next, 0 if that depends on the bus.
func (p *topicPublisher) tick(now time.Time) (next time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := now.Sub(p.last)
	if p.pending && idle >= topicLastDelay {
		p.tellLast()
	}
	switch {
	case p.pending && !p.hub.bus.Available():
		return 0
	case p.pending && idle >= topicLastDelay:
		return topicLastDelay
	case p.pending:
		return topicLastDelay - idle
	case idle >= topicPublisherIdle:
		p.expired = true
		return 0
	}
	return topicPublisherIdle - idle
}

// tellLast sends the number of the last message. p.mu is held.
func (p *topicPublisher) tellLast() {
	data := p.header(topicLast, p.number)
	p.keep(data)
	p.pending = p.hub.bus.Publish(p.subject, data) != nil
}

// tellNow sends the number of the last message, if there is one. If that fails,
// it becomes due.
func (p *topicPublisher) tellNow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.number > 0 && !p.expired {
		p.tellLast()
	}
}

// close ends the publisher.
func (p *topicPublisher) close() {
	p.tellNow()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expired = true
}

// arm makes tick run after d at the latest.
func (h *topicHub) arm(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armLocked(d)
}

func (h *topicHub) armLocked(d time.Duration) {
	at := time.Now().Add(d)
	if h.closed || !h.due.IsZero() && !at.Before(h.due) {
		return
	}
	h.due = at
	if h.timer == nil {
		h.timer = time.AfterFunc(d, h.tick)
		return
	}
	h.timer.Reset(d)
}

// tick looks after the publishers.
func (h *topicHub) tick() {
	h.mu.Lock()
	publishers, tellAll := slices.Collect(maps.Values(h.publishers)), h.tellAll
	h.due, h.tellAll = time.Time{}, false
	h.mu.Unlock()
	if tellAll {
		for _, p := range publishers {
			p.tellNow()
		}
	}
	now := time.Now()
	next := topicPublisherIdle
	for _, p := range publishers {
		if d := p.tick(now); d > 0 {
			next = min(next, d)
		} else {
			h.removeExpired(p)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.publishers) > 0 && h.bus.Available() {
		h.armLocked(next)
	}
}

// removeExpired removes a publisher that has expired.
func (h *topicHub) removeExpired(p *topicPublisher) {
	p.mu.Lock()
	expired := p.expired
	p.mu.Unlock()
	if expired {
		h.removePublisher(p)
	}
}
