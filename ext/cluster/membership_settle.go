package cluster

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// settleTime is how long after its start a node may not know all others: they
// answer its first message within answerDelay. A node that is not known after
// that is gone.
const settleTime = 250 * time.Millisecond

// settling is what a node that has just started waits for. The mu of members
// guards it.
type settling struct {
	done    bool // all nodes are known
	timer   *time.Timer
	changed chan struct{} // closed at the next change; nil: nothing waits
}

// change wakes what waits.
func (s *settling) change() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// startSettling starts the time to settle, when the bus is available. mu is
// held.
func (m *members) startSettling() {
	s := &m.settling
	switch {
	case s.done:
	case s.timer == nil:
		s.timer = time.AfterFunc(settleTime, m.endSettling)
	default:
		s.timer.Reset(settleTime)
	}
	s.change() // what finds the bus unavailable does not wait
}

// endSettling ends the time to settle, unless the bus has become unavailable:
// then it starts again when the bus is back.
func (m *members) endSettling() {
	available := m.config.bus.Available()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settling.done = m.settling.done || available || m.closed
	m.settling.change()
}

// settle waits until all nodes are known. It returns an error if the bus is
// unavailable, so that this cannot be, or if ctx ends.
func (m *members) settle(ctx context.Context) error {
	return m.waitSettled(ctx, func() bool { return false })
}

// await returns what is known of another node. If this one has just started, it
// waits a little for the other one. CodeUnavailable: the node is gone.
// errUnsettled: that is not known yet.
func (m *members) await(ctx context.Context, id NodeID) (info nodeInfo, err error) {
	if info, ok := m.info(id); ok {
		return info, nil
	}
	if err := m.waitSettled(ctx, func() bool { return m.nodes[id] != nil }); err != nil {
		return nodeInfo{}, err
	}
	if info, ok := m.info(id); ok {
		return info, nil
	}
	return nodeInfo{}, rpc.Errorf(rpc.CodeUnavailable, "node %s is gone", id)
}

// errUnsettled is returned if a node that has just started cannot know the
// others, as the bus is unavailable.
var errUnsettled = rpc.Errorf(rpc.CodeUnavailable, "cluster: this node does not know the others yet: %w", ErrBusUnavailable)

// waitSettled waits until all nodes are known, or enough reports true, which is
// called with mu held.
func (m *members) waitSettled(ctx context.Context, enough func() bool) error {
	for {
		available := m.config.bus.Available()
		m.mu.Lock()
		s := &m.settling
		if s.done || m.closed || enough() {
			m.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		m.mu.Unlock()
		if !available {
			return errUnsettled
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return rpc.StatusOf(ctx.Err())
		}
	}
}
