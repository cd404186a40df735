package cluster

import (
	"sync"

	"github.com/parley-rpc/parley/rpc/health"
)

// HealthService is the service whose status Node.ReportHealth sets.
const HealthService = "cluster"

// nodeHealth reports whether a node works together with the others.
type nodeHealth struct {
	connected func() bool // reports whether it does
	changes   notifier[struct{}]

	mu       sync.Mutex
	servers  []*health.Server
	deserted bool // the last of the other nodes became silent
}

func newNodeHealth(connected func() bool) *nodeHealth {
	h := &nodeHealth{connected: connected}
	h.changes.receive = func(struct{}) { h.set() }
	return h
}

// ReportHealth sets the status of HealthService on a health server, and keeps it
// right until the node has left. It is health.NotServing while
//
//   - the bus is unavailable,
//   - the last connection to another node that lives has failed, or
//   - all other nodes have become silent, and none has joined since.
//
// The status of the server as a whole stays as it is: the node still serves its
// own clients. So alarms should ask for HealthService, and probes that stop or
// bypass a server should not. Without a bus the status is always health.Serving.
func (n *Node) ReportHealth(s *health.Server) {
	n.health.mu.Lock()
	n.health.servers = append(n.health.servers, s)
	n.health.mu.Unlock()
	n.health.changed()
}

// isConnected reports whether the node works together with the others.
func (n *Node) isConnected() bool {
	if n.ctx.Err() != nil {
		return false
	}
	_, unreachable := n.nodes.count()
	return n.config.Bus.Available() && unreachable == 0
}

// changed sets the status again. No lock may be held.
func (h *nodeHealth) changed() {
	h.changes.add(struct{}{})
	h.changes.deliver()
}

// set sets the status on all servers.
func (h *nodeHealth) set() {
	status := health.NotServing
	connected := h.connected()
	h.mu.Lock()
	servers := h.servers[:len(h.servers):len(h.servers)]
	if connected && !h.deserted {
		status = health.Serving
	}
	h.mu.Unlock()
	for _, s := range servers {
		s.Set(HealthService, status)
	}
}

// handleMember notes a change of another node. others is how many are left.
func (h *nodeHealth) handleMember(e memberEvent, others int) {
	h.mu.Lock()
	before := h.deserted
	h.deserted = others == 0 && (e.kind == memberGone || h.deserted)
	changed := h.deserted != before
	h.mu.Unlock()
	if changed {
		h.changed()
	}
}
