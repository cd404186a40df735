package cluster

import "sync/atomic"

// Stats are figures of a node at one moment, which concern this node only.
// Fields of type uint64 count since New, and never decrease.
type Stats struct {
	// BusAvailable reports whether the bus works. A node without one has true.
	BusAvailable bool
	// BusLosses is how often messages of the bus may have been lost: once for
	// each interruption, and whenever this node has received too slowly.
	BusLosses uint64
	// BusMissed is how many messages of ephemeral topics with subscribers here
	// did not arrive, by the numbers of those that did.
	BusMissed uint64

	Nodes            int    // other nodes that are known to live
	NodesDraining    int    // of Nodes, those that take no new clients
	NodesUnreachable int    // of Nodes, those to which the last connection has failed; a node is dialed when it is needed
	NodesLost        uint64 // nodes that became silent, or restarted, without having left
	NodesDialed      int    // connections to other nodes, including those that are being made; not to unreachable ones
	NodesAccepted    int    // connections from other nodes

	Clients       int    // clients in the directory that are connected to this node
	Connections   int    // connections of Clients, including detached ones
	Announcements uint64 // joins of clients that this node has published
	Lookups       uint64 // requests for a client on the bus; answers that this node remembers make none
	LookupsFailed uint64 // of Lookups, those that the bus or the client's node did not answer
	EventsMissed  uint64 // times that events of another node were missed, while this one watched

	CallsForwarded uint64 // calls of other nodes to clients, which came here to be forwarded

	Relays        int    // links of clients that this node passes on to the owners of their sessions
	RelaysStarted uint64 // links that were passed on, including Relays
	RelaysRefused uint64 // links that were refused because of Config.MaxRelays
	RelaysFailed  uint64 // links that were closed because the owner did not answer
	SessionsLost  uint64 // links whose session no node has any more: the client begins a new one

	Topics    int    // topics with subscribers here
	TopicGaps uint64 // gaps that were told to subscribers
}

// nodeCounters are what a node counts itself.
type nodeCounters struct {
	busLosses, nodesLost, forwarded atomic.Uint64
}

// Stats returns the figures of the node. They cost calls nothing, so that it may
// be called at any time; it takes the time to count the nodes.
func (n *Node) Stats() Stats {
	s := Stats{
		BusAvailable:   n.config.Bus.Available(),
		BusLosses:      n.counters.busLosses.Load(),
		NodesLost:      n.counters.nodesLost.Load(),
		CallsForwarded: n.counters.forwarded.Load(),
		NodesAccepted:  n.inner.Stats().Connections,
		Announcements:  n.directory.announcements.Load(),
		Lookups:        n.directory.lookups.Load(),
		LookupsFailed:  n.directory.lookupsFailed.Load(),
		EventsMissed:   n.watches.missed.Load(),
		Relays:         int(n.relays.open.Load()),
		RelaysStarted:  uint64(n.relays.total.Load()), //nolint:gosec // not negative
		RelaysRefused:  n.relays.refused.Load(),
		RelaysFailed:   n.relays.failed.Load(),
		SessionsLost:   n.relays.lost.Load(),
		BusMissed:      n.topics.missed.Load(),
		TopicGaps:      n.topics.gaps.Load(),
		Topics:         n.topics.subscribed(),
	}
	for _, m := range n.members.list() {
		s.Nodes++
		if m.Draining {
			s.NodesDraining++
		}
	}
	s.NodesDialed, s.NodesUnreachable = n.nodes.count()
	s.Clients, s.Connections = n.directory.count()
	return s
}

// count returns how many clients are connected to this node, and how many
// connections they have.
func (d *directory) count() (clients, connections int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.clients {
		connections += len(c.sessions)
	}
	return len(d.clients), connections
}

// subscribed returns how many topics have subscribers on this node.
func (h *topicHub) subscribed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ephemerals) + len(h.tails)
}
