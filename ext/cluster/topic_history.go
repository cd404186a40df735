package cluster

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// appendMessage appends a message to the log of a topic.
func (h *topicHub) appendMessage(ctx context.Context, name string, limits LogLimits, msg proto.Message) error {
	if h.ctx.Err() != nil {
		return errHubClosed()
	}
	data, err := appendTopicMessage([]byte{topicEntry}, name, msg)
	if err != nil {
		return err
	}
	_, err = h.log.Append(ctx, h.subject("history", name), limits, data)
	return busError(name, err)
}

// historyReader is a subscriber of a topic with history. It reads the log until
// it has reached the tail, and then gets its events by a queue. When it is so
// slow that the queue is full, it reads the log again.
type historyReader struct {
	topicSubscription
	tail  *topicTail
	after uint64 // number of the last entry that the subscriber has
	isGap bool   // entries before the next one may be gone
}

// follow runs a subscriber of a topic with history.
func (h *topicHub) follow(s topicSubscription) error {
	tail, err := h.acquireTail(s.name, s.config.limits)
	if err != nil {
		return err
	}
	defer h.releaseTail(tail)
	r := historyReader{topicSubscription: s, tail: tail}
	select {
	case <-tail.ready:
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-s.draining:
		return rpc.RetryLater(0)
	}
	if err := tail.err(); err != nil {
		return err
	}
	return s.result(r.run())
}

// run alternates between the tail and the log.
func (r *historyReader) run() error {
	q := newTopicQueue(queueConfig{messages: defaultTopicQueue, policy: EndSlow})
	for isFirst := true; ; isFirst = false {
		last := r.tail.attach(q)
		var err error
		if isFirst {
			err = r.start(last)
		} else if r.after == 0 {
			r.after, r.isGap = r.tail.beginning()
		}
		if err == nil && r.after != last {
			err = r.catchUp(last)
		}
		if err == nil {
			err = r.serve(q, r.giveNew)
		}
		r.tail.detach(q)
		if !errors.Is(err, errQueueFull) || !q.restart() {
			return err
		}
	}
}

// start sets where the subscriber begins.
func (r *historyReader) start(last uint64) error {
	switch r.from.kind {
	case positionNow:
		r.after = last
		if r.config.start {
			return r.give(queuedEvent{event: &topicEvent{position: historyPosition(last)}})
		}
	case positionHistory:
		r.after = r.from.number
	case positionOldest:
	default: // the topic had no history then
		e := &topicEvent{position: historyPosition(0)}
		return r.give(queuedEvent{e, Gap{Unknown: true}})
	}
	return nil
}

// catchUp delivers the entries of the log up to that with a number.
func (r *historyReader) catchUp(last uint64) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go func() { // Read waits if the log has nothing to read
		defer cancel()
		select {
		case <-r.draining:
		case <-r.tail.ctx.Done():
		case <-ctx.Done():
		}
	}()
	log := r.tail.hub.log
	for entry, err := range log.Read(ctx, r.tail.subject, r.tail.limits, r.after) {
		switch {
		case err == nil:
			err = r.giveEntry(entry)
		case r.ctx.Err() != nil:
			err = r.ctx.Err()
		case isClosed(r.draining):
			err = rpc.RetryLater(0)
		case r.tail.ctx.Err() != nil:
			err = errHubClosed()
		default:
			err = busError(r.name, err)
		}
		if err != nil || entry.Number >= last {
			return err
		}
	}
	return busError(r.name, ErrBusUnavailable) // a sequence ends with an error
}

// giveEntry delivers an entry of the log.
func (r *historyReader) giveEntry(entry LogEntry) error {
	entry.Gap = entry.Gap || r.isGap
	r.after, r.isGap = entry.Number, false
	e, gap := entryEvent(entry)
	return r.give(queuedEvent{e, gap})
}

// giveNew delivers an event of the tail, unless the subscriber has it. After a
// gap, numbers may have begun again.
func (r *historyReader) giveNew(item queuedEvent) error {
	if item.event.number <= r.after && !item.gap.Missing() {
		return nil
	}
	r.after = item.event.number
	return r.give(item)
}
