package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

const (
	defaultHeartbeat = 500 * time.Millisecond
	minHeartbeat     = 100 * time.Millisecond
	maxHeartbeat     = 10 * time.Second
	silentIntervals  = 3                      // a node that is silent for so many is gone
	answerDelay      = 100 * time.Millisecond // a heartbeat that is asked for comes within this
	maxMembers       = 4096                   // nodes beyond that are ignored
	goneMemory       = time.Hour              // how long a node that is gone may come back as what it was
)

// memberConfig configures members.
type memberConfig struct {
	bus       Bus
	prefix    string
	self      nodeInfo
	heartbeat time.Duration // 0: defaultHeartbeat
	receive   func(memberEvent)
	log       *slog.Logger

	// announced returns the number of the next presence event, and whether
	// they are published. nil: none are.
	announced func() (next uint64, announcing bool)
}

// memberEventKind is what has happened to a node.
type memberEventKind int

const (
	memberJoined   memberEventKind = iota + 1 // a node is there that was not known before
	memberBack                                // a node that was gone is there again; for the node itself: others may have taken it for gone
	memberDraining                            // a node takes no new sessions
	memberLeft                                // a node has said that it leaves
	memberGone                                // a node is silent, or a restart replaces it
	memberAnnounce                            // the numbers of a node's presence events
)

// memberEvent tells the Node of a change.
type memberEvent struct {
	kind       memberEventKind
	node       nodeInfo
	announcing bool   // of memberAnnounce
	nextEvent  uint64 // of memberAnnounce
}

// member is what is known of another node.
type member struct {
	nodeInfo
	watching bool
	silence  time.Duration // after that it is gone
	heard    time.Time     // by the local clock
}

// members knows the nodes of the cluster. It has timers, and no goroutine.
type members struct {
	config memberConfig
	events notifier[memberEvent]

	watched atomic.Bool // another node wants presence announcements

	mu        sync.Mutex // before notifier.mu
	nodes     map[NodeID]*member
	gone      map[NodeID]time.Time // that may come back
	awaited   map[NodeID]*member   // of nodes, those that were not heard since the bus has returned
	draining  bool
	watching  bool
	closed    bool
	timer     *time.Timer
	wake      time.Time // when timer fires
	returned  time.Time // when the last message with KIND_RETURN was due
	returns   bool      // the next heartbeat has KIND_RETURN
	next      time.Time // when the next heartbeat is due
	available bool      // the bus, as handleChange has heard; tick asks it, too
	settling  settling
	echoed    time.Time // when the node has heard itself last; zero: never

	publishing sync.WaitGroup // publishes that have begun before the node leaves
	sub        BusSubscription
	stopChange func()
}

// newMembers returns members that do nothing until start.
func newMembers(config memberConfig) (*members, error) {
	config.heartbeat = cmp.Or(config.heartbeat, defaultHeartbeat)
	if config.heartbeat < minHeartbeat || config.heartbeat > maxHeartbeat {
		return nil, fmt.Errorf("cluster: heartbeat of %v: it must be from %v to %v", config.heartbeat, minHeartbeat, maxHeartbeat)
	}
	if config.self.ID == (NodeID{}) {
		return nil, errors.New("cluster: the node has no id")
	}
	if err := checkNode(config.self.Name, config.self.URL); err != nil {
		return nil, err
	}
	if config.log == nil {
		config.log = slog.New(slog.DiscardHandler)
	}
	m := &members{config: config, nodes: make(map[NodeID]*member), gone: make(map[NodeID]time.Time), draining: config.self.Draining, available: true}
	m.events.receive = config.receive
	return m, nil
}

// start announces the node. It is called once, and leave only after it.
func (m *members) start() error {
	sub, err := m.config.bus.Subscribe(m.subject(), m.handle)
	if err != nil {
		return err
	}
	m.sub = sub
	m.stopChange = m.config.bus.OnChange(m.handleChange)
	m.publish(clusterv1.NodeMessage_KIND_START)
	m.mu.Lock()
	now := time.Now()
	m.next = now.Add(m.jittered())
	m.timer = time.AfterFunc(time.Until(m.next), m.tick)
	m.wake = m.next
	m.mu.Unlock()
	if m.config.bus.Available() {
		m.mu.Lock()
		m.startSettling()
		m.mu.Unlock()
	}
	return nil
}

// subject returns the subject of what nodes say about themselves.
func (m *members) subject() string { return m.config.prefix + ".nodes" }

// jittered returns the time to the next heartbeat: at most the interval.
func (m *members) jittered() time.Duration {
	return m.config.heartbeat - rand.N(m.config.heartbeat/5)
}

// tick sends the heartbeat that is due, and finds nodes that are silent.
func (m *members) tick() {
	available := m.config.bus.Available()
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	now := time.Now()
	kind, due := clusterv1.NodeMessage_KIND_UNSPECIFIED, !now.Before(m.next)
	if late := now.Sub(m.wake); late > m.config.heartbeat {
		m.forgive(now)
		m.returns, due = true, true
	}
	if m.returns && due {
		kind = clusterv1.NodeMessage_KIND_RETURN
		m.noteReturn(now)
	}
	if available && m.available && !m.deaf(now) {
		m.expire(now)
	} else {
		m.forgive(now)
	}
	if due {
		m.next = now.Add(m.jittered())
	}
	m.schedule(now)
	m.mu.Unlock()
	if due {
		m.publish(kind)
	}
	m.events.deliver()
}

// forgive gives every node the whole time to be heard: what was missed says
// nothing about it, as the bus was unavailable or this process was frozen.
func (m *members) forgive(now time.Time) {
	for _, n := range m.nodes {
		n.heard = now
	}
}

// deaf reports whether the bus has not brought the node what it publishes
// itself, for one heartbeat and a half.
// Then it is cut off, though its connection seems to be open, and the silence of
// the others says nothing.
func (m *members) deaf(now time.Time) bool {
	return !m.echoed.IsZero() && now.Sub(m.echoed) > m.config.heartbeat*3/2
}

// expire removes the nodes that are silent.
func (m *members) expire(now time.Time) {
	for _, n := range m.nodes {
		if now.Sub(n.heard) >= n.silence {
			m.remove(n, memberGone, now)
		}
	}
}

// remove forgets a node.
func (m *members) remove(n *member, kind memberEventKind, now time.Time) {
	delete(m.nodes, n.ID)
	delete(m.awaited, n.ID)
	if n.watching {
		m.recount()
	}
	if kind == memberGone {
		for id, since := range m.gone {
			if now.Sub(since) > goneMemory || len(m.gone) >= maxMembers {
				delete(m.gone, id)
			}
		}
		m.gone[n.ID] = now
	}
	m.events.add(memberEvent{kind: kind, node: n.nodeInfo})
}

// recount finds whether another node watches.
func (m *members) recount() {
	watched := false
	for _, n := range m.nodes {
		watched = watched || n.watching
	}
	m.watched.Store(watched)
}

// schedule sets the timer to what comes first: a heartbeat, or a silence that
// has lasted too long.
func (m *members) schedule(now time.Time) {
	m.wake = m.next
	for _, n := range m.nodes {
		if end := n.heard.Add(n.silence); end.Before(m.wake) {
			m.wake = end
		}
	}
	if m.wake.Before(now) {
		m.wake = now
	}
	m.timer.Reset(m.wake.Sub(now))
}

// soon makes the next heartbeat come within answerDelay. Any number of nodes
// that ask within that time get one heartbeat.
func (m *members) soon(now time.Time) {
	if at := now.Add(rand.N(answerDelay)); m.timer != nil && at.Before(m.next) && m.next.Sub(now) > answerDelay {
		m.next = at
		m.schedule(now)
	}
}

// handle gets what nodes publish.
func (m *members) handle(message BusMessage) {
	received, err := parseNodeMessage(message.Data)
	if err != nil {
		m.config.log.Warn("a message is ignored", "err", err)
		return
	}
	m.mu.Lock()
	switch {
	case received.ID == m.config.self.ID:
		m.echoed = time.Now()
	case !m.closed:
		m.take(received, time.Now())
	}
	m.mu.Unlock()
	m.events.deliver()
}

// take updates what is known of a node.
func (m *members) take(received nodeMessage, now time.Time) {
	delete(m.awaited, received.ID)
	n := m.nodes[received.ID]
	if received.kind == clusterv1.NodeMessage_KIND_LEAVE {
		delete(m.gone, received.ID)
		if n != nil {
			m.remove(n, memberLeft, now)
		}
		return
	}
	if n == nil {
		if n = m.admit(received, now); n == nil {
			return
		}
	}
	n.heard = now
	if received.Draining && !n.Draining {
		n.Draining = true
		m.events.add(memberEvent{kind: memberDraining, node: n.nodeInfo})
	}
	n.nodeInfo = received.nodeInfo
	n.silence = silentIntervals * max(received.interval, m.config.heartbeat)
	asks := received.kind == clusterv1.NodeMessage_KIND_START || received.kind == clusterv1.NodeMessage_KIND_RETURN
	if asks || received.watching && !n.watching {
		m.soon(now)
	}
	if n.watching != received.watching {
		n.watching = received.watching
		m.recount()
	}
	m.events.add(memberEvent{kind: memberAnnounce, node: n.nodeInfo, announcing: received.announcing, nextEvent: received.nextEvent})
}

// admit adds a node that is not known, or gone. A node that starts where
// another one has run replaces it: two processes cannot listen there.
func (m *members) admit(received nodeMessage, now time.Time) *member {
	if received.kind == clusterv1.NodeMessage_KIND_START && received.URL != "" {
		for _, other := range m.nodes {
			if other.URL == received.URL {
				m.remove(other, memberGone, now)
			}
		}
	}
	if len(m.nodes) >= maxMembers {
		m.config.log.Warn("a node is ignored: there are too many", "node", received.ID, "nodes", len(m.nodes))
		return nil
	}
	n := &member{nodeInfo: received.nodeInfo}
	m.nodes[received.ID] = n
	m.settling.change()
	kind := memberJoined
	if _, back := m.gone[received.ID]; back {
		delete(m.gone, received.ID)
		kind = memberBack
	}
	m.events.add(memberEvent{kind: kind, node: received.nodeInfo})
	if received.Draining {
		m.events.add(memberEvent{kind: memberDraining, node: received.nodeInfo})
		n.Draining = true
	}
	return n
}

// handleChange gets changes of the bus. Many in a row are one return of this node
// for each heartbeat.
func (m *members) handleChange(change BusChange) {
	if change.lostOnly() && !change.LostOf(m.subject()) {
		return
	}
	now := time.Now()
	m.mu.Lock()
	m.available = change.Available
	returned := change.Available && !m.closed
	if returned {
		m.awaited = maps.Clone(m.nodes)
		m.startSettling()
		m.forgive(now)
		if m.returns = now.Sub(m.returned) < m.config.heartbeat; m.returns {
			returned = false // with the next heartbeat
		} else {
			m.noteReturn(now)
		}
	}
	m.mu.Unlock()
	if returned {
		m.publish(clusterv1.NodeMessage_KIND_RETURN)
	}
	m.events.deliver()
}

// noteReturn tells the node that it may have been missed.
func (m *members) noteReturn(now time.Time) {
	m.returns, m.returned = false, now
	m.events.add(memberEvent{kind: memberBack, node: m.self()})
}

// self returns what the node says about itself.
func (m *members) self() nodeInfo {
	self := m.config.self
	self.Draining = m.draining
	return self
}
