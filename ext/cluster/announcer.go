package cluster

import (
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

const (
	batchDelay       = 25 * time.Millisecond // of announcements
	batchEvents      = 256
	batchBytes       = 64 << 10
	maxBatch         = 2 * batchBytes // accepted
	maxPendingEvents = 16_384
)

// announcer publishes the presence events of this node in batches, if another
// node watches. Every event has a number, whether it is published or not, so
// that a watcher sees what it has missed.
type announcer struct {
	bus     Bus
	prefix  string
	self    NodeID
	watched func() bool // reports whether another node watches; must not lock anything

	publishing sync.WaitGroup

	mu      sync.Mutex // after directory.mu
	next    uint64     // number of the event after the pending ones
	pending []PresenceEvent
	timer   *time.Timer
	armed   bool // the timer is set, or publishes
	closed  bool
}

func newAnnouncer(bus Bus, prefix string, self NodeID, watched func() bool) *announcer {
	return &announcer{bus: bus, prefix: prefix, self: self, watched: watched}
}

// add announces an event.
func (a *announcer) add(e PresenceEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	switch {
	case a.closed || !a.watched():
		a.pending = nil // with numbers missing, a watcher knows
		return
	case len(a.pending) >= maxPendingEvents:
		a.pending = nil
		return
	}
	a.pending = append(a.pending, e)
	if a.armed {
		return
	}
	a.armed = true
	if a.timer == nil {
		a.timer = time.AfterFunc(batchDelay, a.flush)
	} else {
		a.timer.Reset(batchDelay)
	}
}

// flush publishes what is pending.
func (a *announcer) flush() {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	a.publishing.Add(1)
	defer a.publishing.Done()
	pending, first := a.pending, a.next-uint64(len(a.pending))
	a.pending = nil
	a.mu.Unlock()

	for len(pending) > 0 {
		n := a.publish(pending, first)
		pending, first = pending[n:], first+uint64(n) //nolint:gosec // not negative
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.armed = len(a.pending) > 0 && !a.closed; a.armed {
		a.timer.Reset(batchDelay)
	}
}

// publish publishes as many events as a batch may have.
func (a *announcer) publish(pending []PresenceEvent, first uint64) (n int) {
	batch := &clusterv1.PresenceBatch{Node: a.self[:], First: first}
	size := 0
	for n < len(pending) && n < batchEvents && size < batchBytes {
		e := &clusterv1.PresenceEvent{Kind: eventKinds[pending[n].Kind], Presence: pending[n].Presence.toWire()}
		batch.Events = append(batch.Events, e)
		size += proto.Size(e)
		n++
	}
	data, err := proto.Marshal(batch)
	if err == nil {
		_ = a.bus.Publish(a.prefix+".presence", data) // watchers miss them, and see it by the numbers
	}
	return n
}

// announced returns the number of the first event that is not published yet.
func (a *announcer) announced() (next uint64, announcing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next - uint64(len(a.pending)), a.watched()
}

// close ends the timer. Events that are pending do not matter: the node leaves.
func (a *announcer) close() {
	a.mu.Lock()
	a.closed = true
	a.pending = nil
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.publishing.Wait()
}

var eventKinds = map[PresenceEventKind]clusterv1.PresenceEvent_Kind{
	PresenceJoined:   clusterv1.PresenceEvent_KIND_JOINED,
	PresenceLeft:     clusterv1.PresenceEvent_KIND_LEFT,
	PresenceDetached: clusterv1.PresenceEvent_KIND_DETACHED,
	PresenceResumed:  clusterv1.PresenceEvent_KIND_RESUMED,
	PresenceUpdated:  clusterv1.PresenceEvent_KIND_UPDATED,
}
