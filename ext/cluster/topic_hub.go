package cluster

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// Bounds of a hub.
const (
	maxTopics          = 1 << 16 // that have subscribers on this node
	maxTopicPublishers = 1 << 18 // topics to which this node has published lately
)

// topicHub is the part of a node that has its topics. It has no goroutine unless
// a topic with history has subscribers, and no timer unless it has published
// lately.
//
// The locks are taken in this order: that of a publisher, hub.mu, and that of an
// ephemeralTopic or topicTail, then that of a queue. A publisher's lock is held
// while the bus publishes, which keeps its messages in order.
type topicHub struct {
	bus    Bus
	log    LogBus // nil: bus keeps no messages
	prefix string
	id     NodeID

	ctx        context.Context // ends with the hub
	cancel     context.CancelFunc
	stopChange func()
	running    sync.WaitGroup // of tails

	missed, gaps atomic.Uint64 // Stats.BusMissed and TopicGaps

	mu         sync.Mutex
	closed     bool
	series     uint64
	ephemerals map[string]*ephemeralTopic // by name, with subscribers
	tails      map[string]*topicTail      // by name, with subscribers
	publishers map[string]*topicPublisher // by name
	timer      *time.Timer
	due        time.Time // when timer fires; zero: it does not
	tellAll    bool      // the next tick tells the last numbers of all publishers
}

// newTopicHub returns the topics of a node.
func newTopicHub(bus Bus, prefix string, id NodeID) *topicHub {
	h := &topicHub{
		bus: bus, prefix: prefix, id: id,
		ephemerals: make(map[string]*ephemeralTopic),
		tails:      make(map[string]*topicTail),
		publishers: make(map[string]*topicPublisher),
	}
	h.log, _ = bus.(LogBus)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.stopChange = bus.OnChange(h.busChanged)
	return h
}

// close ends all subscriptions with CodeUnavailable. Before that it tells the
// last numbers of what this node has published.
func (h *topicHub) close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed, h.due = true, time.Time{}
	if h.timer != nil {
		h.timer.Stop()
	}
	publishers := slices.Collect(maps.Values(h.publishers))
	clear(h.publishers)
	ephemerals, tails := slices.Collect(maps.Values(h.ephemerals)), slices.Collect(maps.Values(h.tails))
	h.mu.Unlock()
	h.stopChange()
	for _, p := range publishers {
		p.close()
	}
	for _, t := range ephemerals {
		t.fail(errHubClosed())
	}
	for _, t := range tails {
		t.fail(errHubClosed())
	}
	h.cancel()
	h.running.Wait()
}

func errHubClosed() error {
	return rpc.Errorf(rpc.CodeUnavailable, "the node has been shut down")
}

// busChanged is called by the bus.
func (h *topicHub) busChanged(c BusChange) {
	h.mu.Lock()
	ephemerals, tails := slices.Collect(maps.Values(h.ephemerals)), slices.Collect(maps.Values(h.tails))
	if c.Available && !c.lostOnly() && len(h.publishers) > 0 {
		h.tellAll = true
		h.armLocked(0)
	}
	h.mu.Unlock()
	for _, t := range ephemerals {
		if c.LostOf(h.subject("topic", t.name)) {
			t.tell(Gap{Unknown: true}) // the numbers of publishers tell how many, if more comes
		}
	}
	if c.Available {
		for _, t := range tails {
			t.retry()
		}
	}
}

// nextSeries returns a number that the hub has not yet returned. h.mu is held.
func (h *topicHub) nextSeries() uint64 {
	h.series++
	return h.series
}

// admitLocked returns why the hub takes no further topic. h.mu is held.
func (h *topicHub) admitLocked() error {
	switch {
	case h.closed:
		return errHubClosed()
	case len(h.ephemerals)+len(h.tails) >= maxTopics:
		return rpc.Errorf(rpc.CodeResourceExhausted, "%d topics have subscribers on this node: no more are allowed", maxTopics)
	}
	return nil
}

// subject returns the subject of a topic.
func (h *topicHub) subject(kind, name string) string {
	return h.prefix + "." + kind + "." + nameToken(name)
}
