package cluster

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// Times of a tail that cannot read the log.
const (
	firstTailDelay = 100 * time.Millisecond
	maxTailDelay   = 5 * time.Second
)

// topicTail reads what is appended to the log of a topic that has subscribers on
// this node, on one goroutine, and gives it to all of them.
type topicTail struct {
	hub     *topicHub
	name    string
	subject string
	limits  LogLimits
	refs    int // guarded by hub.mu

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // has an item when the bus is available again
	ready  chan struct{} // closed once last or ended are known

	mu     sync.Mutex
	queues topicQueues
	last   uint64   // number of the last entry that was read; 0: the log had none
	first  LogEntry // the first entry after last was 0, without Data
	ended  error
}

// acquireTail returns the tail of a topic, which releaseTail releases.
func (h *topicHub) acquireTail(name string, limits LogLimits) (*topicTail, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tails[name]
	if t == nil {
		if err := h.admitLocked(); err != nil {
			return nil, err
		}
		t = &topicTail{
			hub: h, name: name, subject: h.subject("history", name), limits: limits,
			wake: make(chan struct{}, 1), ready: make(chan struct{}),
		}
		t.ctx, t.cancel = context.WithCancel(h.ctx)
		h.tails[name] = t
		h.running.Go(t.run)
	}
	t.refs++
	return t, nil
}

// releaseTail ends the tail after the last subscriber.
func (h *topicHub) releaseTail(t *topicTail) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.refs--; t.refs == 0 {
		t.cancel()
		if h.tails[t.name] == t {
			delete(h.tails, t.name)
		}
	}
}

// run reads the log until the tail is released.
func (t *topicTail) run() {
	last, err := t.hub.log.Last(t.ctx, t.subject, t.limits)
	if err != nil {
		t.removeFailed()
		t.fail(busError(t.name, err))
		close(t.ready)
		return
	}
	t.mu.Lock()
	t.last = last
	t.mu.Unlock()
	close(t.ready)
	delay := firstTailDelay
	for isFirst := true; t.ctx.Err() == nil; isFirst = false {
		if !isFirst {
			delay = t.wait(delay)
		}
		// A log without entries is read from its oldest one. If that is not the
		// first time, there may have been others.
		isGap := !isFirst && t.last == 0
		for e, err := range t.hub.log.Read(t.ctx, t.subject, t.limits, t.last) {
			if err != nil {
				break
			}
			e.Gap = e.Gap || isGap
			isGap, delay = false, firstTailDelay
			t.push(e)
		}
	}
}

// removeFailed makes the next subscriber try again.
func (t *topicTail) removeFailed() {
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	if t.hub.tails[t.name] == t {
		delete(t.hub.tails, t.name)
	}
}

// wait waits before the log is read again, and returns how long to wait the next
// time.
func (t *topicTail) wait(delay time.Duration) time.Duration {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.wake:
		return firstTailDelay
	case <-t.ctx.Done():
	}
	return min(2*delay, maxTailDelay)
}

// retry makes the tail read again if it waits for that.
func (t *topicTail) retry() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// push gives an entry to all subscribers.
func (t *topicTail) push(entry LogEntry) {
	e, gap := entryEvent(entry)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == 0 {
		t.first = LogEntry{Number: entry.Number, Gap: entry.Gap}
	}
	t.last = entry.Number
	t.queues.push(e, gap)
}

// attach adds a queue, and returns the number of the entry before the first one
// that it gets.
func (t *topicTail) attach(q *topicQueue) (last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queues.add(q)
	if t.ended != nil {
		q.fail(t.ended)
	}
	return t.last
}

// beginning returns the number before the first entry of a log that had none,
// and whether entries before that entry may be gone.
func (t *topicTail) beginning() (after uint64, isGap bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first.Number <= 1 {
		return 0, true // after 0, the oldest entry that is kept need not be the first
	}
	return t.first.Number - 1, t.first.Gap
}

func (t *topicTail) detach(q *topicQueue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queues.remove(q)
}

// fail ends all subscribers.
func (t *topicTail) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		t.ended = err
	}
	t.queues.fail(err)
}

// err returns why the tail has ended, if it has.
func (t *topicTail) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

// topicEntry is the first byte of an entry of a topic's log.
const topicEntry = 1

// entryEvent returns the event of an entry, and the gap before its message.
func entryEvent(entry LogEntry) (e *topicEvent, gap Gap) {
	e = &topicEvent{position: historyPosition(entry.Number), number: entry.Number}
	gap.Unknown = entry.Gap
	data, ok := bytes.CutPrefix(entry.Data, []byte{topicEntry})
	switch {
	case ok:
		e.data, e.hasMessage = data, true
	case entry.Data != nil: // of another version, perhaps
		gap.Count = 1
	}
	return e, gap
}
