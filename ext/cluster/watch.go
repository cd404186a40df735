package cluster

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
)

const maxWatchQueue = 4096 // events that a watcher has not taken

// watchConfig configures watches.
type watchConfig struct {
	bus         Bus
	prefix      string
	self        NodeID
	lives       func(NodeID) bool
	setWatching func(bool)          // tells the other nodes
	heard       func(PresenceEvent) // gets the events of other nodes; must not block
	log         *slog.Logger
}

// watches hands presence events of all nodes to watchers. It subscribes to those
// of other nodes while there is a watcher.
type watches struct {
	config   watchConfig
	switches notifier[struct{}] // there is a first watcher, or none any more
	missed   atomic.Uint64      // Stats.EventsMissed

	sub BusSubscription // used by switches only

	mu       sync.Mutex // after directory.mu
	watchers map[*watcher]struct{}
	nodes    map[NodeID]*eventNumbers
}

// eventNumbers is how far the events of a node were received.
type eventNumbers struct {
	next  uint64 // number of the next event
	short uint64 // what a heartbeat said is next, if that is more
}

// watcher is one watch.
type watcher struct {
	ready chan struct{} // has room for one: queue is not empty

	mu     sync.Mutex // after watches.mu
	queue  []PresenceEvent
	missed bool // events after the queue were missed
}

func newWatches(config watchConfig) *watches {
	if config.log == nil {
		config.log = slog.New(slog.DiscardHandler)
	}
	if config.heard == nil {
		config.heard = func(PresenceEvent) {}
	}
	w := &watches{config: config, watchers: make(map[*watcher]struct{}), nodes: make(map[NodeID]*eventNumbers)}
	w.switches.receive = func(struct{}) { w.switchOver() }
	return w
}

// watch ranges over presence events until ctx ends, whose error is the last
// item. The first event is PresenceMissed for all nodes. The first of each other
// node is PresenceMissed, too: from then on all of its events arrive. A watcher
// that is too slow gets PresenceMissed in place of what did not fit its queue.
func (w *watches) watch(ctx context.Context) iter.Seq2[PresenceEvent, error] {
	return func(yield func(PresenceEvent, error) bool) {
		one := &watcher{ready: make(chan struct{}, 1)}
		one.push(PresenceEvent{Kind: PresenceMissed})
		w.mu.Lock()
		w.watchers[one] = struct{}{}
		w.mu.Unlock()
		w.switches.add(struct{}{})
		w.switches.deliver()
		defer w.end(one)
		for {
			select {
			case <-one.ready:
			case <-ctx.Done():
				yield(PresenceEvent{}, ctx.Err())
				return
			}
			for _, e := range one.take() {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

func (w *watches) end(one *watcher) {
	w.mu.Lock()
	delete(w.watchers, one)
	w.mu.Unlock()
	w.switches.add(struct{}{})
	w.switches.deliver()
}

// switchOver subscribes if there are watchers, and ends that if there are none.
func (w *watches) switchOver() {
	w.mu.Lock()
	wanted := len(w.watchers) > 0
	w.mu.Unlock()
	switch {
	case wanted && w.sub == nil:
		sub, err := w.config.bus.Subscribe(w.config.prefix+".presence", w.handle)
		if err != nil {
			w.config.log.Warn("presence events of other nodes are missed", "err", err)
			return
		}
		w.sub = sub
		w.config.setWatching(true)
	case !wanted && w.sub != nil:
		w.config.setWatching(false)
		_ = w.sub.Close() // what arrives has no watcher
		w.sub = nil
		w.mu.Lock()
		clear(w.nodes)
		w.mu.Unlock()
	}
}

// retry subscribes if that has failed before.
func (w *watches) retry() {
	w.switches.add(struct{}{})
	w.switches.deliver()
}

// local hands out an event of this node.
func (w *watches) local(e PresenceEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.push(e)
}

func (w *watches) push(e PresenceEvent) {
	for one := range w.watchers {
		one.push(e)
	}
}

// handle gets batches of other nodes.
func (w *watches) handle(message BusMessage) {
	batch, err := parsePresenceBatch(message.Data)
	if err != nil {
		w.config.log.Warn("a message is ignored", "err", err)
		return
	}
	if batch.node == w.config.self || !w.config.lives(batch.node) {
		return // if the node is back, its heartbeat says so, and what was missed
	}
	w.mu.Lock()
	news := w.receive(batch)
	w.mu.Unlock()
	for _, e := range news {
		w.config.heard(e)
	}
}

// receive returns the events that are new.
func (w *watches) receive(batch presenceBatch) []PresenceEvent {
	end := batch.first + uint64(len(batch.events))
	n := w.nodes[batch.node]
	switch {
	case n == nil:
		n = &eventNumbers{}
		w.nodes[batch.node] = n
		w.miss(batch.node, batch.events[0].NodeName)
	case batch.first > n.next:
		w.missed.Add(1)
		w.miss(batch.node, batch.events[0].NodeName)
	case end <= n.next:
		return nil
	default:
		batch.events = batch.events[n.next-batch.first:]
	}
	n.next, n.short = end, 0
	for _, e := range batch.events {
		if e.Kind != 0 {
			w.push(e)
		}
	}
	return batch.events
}

func (w *watches) miss(id NodeID, name string) {
	w.push(PresenceEvent{Kind: PresenceMissed, Node: id, NodeName: name})
}

// handleMember gets the events of members.
func (w *watches) handleMember(e memberEvent) {
	if e.kind == memberBack && e.node.ID == w.config.self {
		w.retry()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.kind {
	case memberGone, memberLeft:
		delete(w.nodes, e.node.ID)
		w.push(PresenceEvent{Kind: PresenceNodeGone, Node: e.node.ID, NodeName: e.node.Name})
	case memberAnnounce:
		if len(w.watchers) > 0 && e.announcing {
			w.compare(e.node, e.nextEvent)
		}
	case memberJoined, memberBack, memberDraining:
	}
}

// compare finds that the last events of a node were missed. They may be on their
// way, but no longer than until the next heartbeat.
func (w *watches) compare(node nodeInfo, next uint64) {
	n := w.nodes[node.ID]
	switch {
	case n == nil:
		w.nodes[node.ID] = &eventNumbers{next: next}
		w.miss(node.ID, node.Name)
	case next <= n.next:
		n.short = 0
	case n.short > n.next:
		w.missed.Add(1)
		w.miss(node.ID, node.Name)
		n.next, n.short = next, 0
	default:
		n.short = next
	}
}

// push adds an event, or notes that it is missed.
func (o *watcher) push(e PresenceEvent) {
	o.mu.Lock()
	if o.missed || len(o.queue) >= maxWatchQueue {
		o.missed = true
	} else {
		o.queue = append(o.queue, e)
	}
	o.mu.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take returns what is queued.
func (o *watcher) take() []PresenceEvent {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue := o.queue
	if o.missed {
		queue = append(queue, PresenceEvent{Kind: PresenceMissed})
	}
	o.queue, o.missed = nil, false
	return queue
}
