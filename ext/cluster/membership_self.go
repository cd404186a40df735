package cluster

import (
	"bytes"
	"slices"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
)

// publish sends a message about the node itself. If the bus is unavailable,
// nodes do not miss it: they count no silence then.
func (m *members) publish(kind clusterv1.NodeMessage_Kind) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.publishing.Add(1)
	message := m.message(kind)
	m.mu.Unlock()
	defer m.publishing.Done()
	m.send(message)
}

// message returns a message about the node itself.
func (m *members) message(kind clusterv1.NodeMessage_Kind) nodeMessage {
	return nodeMessage{nodeInfo: m.self(), kind: kind, interval: m.config.heartbeat, watching: m.watching}
}

func (m *members) send(message nodeMessage) {
	if m.config.announced != nil {
		message.nextEvent, message.announcing = m.config.announced()
	}
	data, err := message.marshal()
	if err == nil {
		err = m.config.bus.Publish(m.subject(), data)
	}
	if err != nil {
		m.config.log.Debug("a heartbeat was not sent", "err", err)
	}
}

// drain tells the nodes that this one takes no new sessions.
func (m *members) drain() {
	m.mu.Lock()
	m.draining = true
	m.mu.Unlock()
	m.publish(clusterv1.NodeMessage_KIND_UNSPECIFIED)
}

// setWatching tells the nodes whether this one wants presence announcements.
func (m *members) setWatching(watching bool) {
	m.mu.Lock()
	changed := m.watching != watching
	m.watching = watching
	m.mu.Unlock()
	if changed {
		m.publish(clusterv1.NodeMessage_KIND_UNSPECIFIED)
	}
}

// leave tells the nodes that this one is no more, and ends the timer and the
// subscription.
func (m *members) leave() {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.closed = true
	message := m.message(clusterv1.NodeMessage_KIND_LEAVE)
	m.timer.Stop()
	if m.settling.timer != nil {
		m.settling.timer.Stop()
	}
	m.settling.change()
	m.mu.Unlock()
	m.stopChange()
	m.publishing.Wait() // a heartbeat after the last message would be a ghost
	m.send(message)
	_ = m.sub.Close() // what arrives is ignored
}

// lives reports whether a node is known to live. The node itself does.
func (m *members) lives(id NodeID) bool {
	if id == m.config.self.ID {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes[id] != nil
}

// info returns what is known of another node. ok is false if it is gone.
func (m *members) info(id NodeID) (info nodeInfo, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.nodes[id]; n != nil {
		return n.nodeInfo, true
	}
	return nodeInfo{}, false
}

// list returns the other nodes, sorted by id.
func (m *members) list() []nodeInfo {
	m.mu.Lock()
	all := make([]nodeInfo, 0, len(m.nodes))
	for _, n := range m.nodes {
		all = append(all, n.nodeInfo)
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b nodeInfo) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all
}

// complete reports whether all nodes were heard since the bus has returned.
// Before, a client that is not found may be at one of those that were not.
func (m *members) complete() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.awaited) == 0
}
