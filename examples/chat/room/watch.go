package room

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
)

// listAgain is how long after an incomplete list another one is made.
const listAgain = time.Second

// watch keeps the presence of the connections of other nodes until ctx ends.
func (rs *rooms) watch(ctx context.Context) {
	events := make(chan cluster.PresenceEvent)
	go func() {
		defer close(events)
		for e, err := range rs.node.Watch(ctx) {
			if err != nil {
				return
			}
			events <- e
		}
	}()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case e, ok := <-events:
			switch {
			case !ok:
				return
			case e.Kind == cluster.PresenceMissed:
				retry.Reset(0)
			default:
				rs.heard(e)
			}
		case <-retry.C:
			if !rs.list(ctx) {
				retry.Reset(listAgain)
			}
		}
	}
}

// heard notes an event of another node.
func (rs *rooms) heard(e cluster.PresenceEvent) {
	if e.Node == rs.node.ID() {
		return // known already
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	switch e.Kind {
	case cluster.PresenceNodeGone:
		for client, c := range rs.presents.others(rs.node.ID()) {
			if c.node == e.Node {
				rs.update(client, e.Node, nil)
			}
		}
	case cluster.PresenceLeft:
		rs.update(e.Presence.Client, e.Node, nil)
	case cluster.PresenceJoined, cluster.PresenceUpdated, cluster.PresenceDetached, cluster.PresenceResumed:
		rs.update(e.Presence.Client, e.Node, e.Presence.Meta)
	case cluster.PresenceMissed:
	}
}

// list notes all connections of other nodes, and reports whether all nodes have
// answered. If not, those that it does not find stay.
func (rs *rooms) list(ctx context.Context) (complete bool) {
	complete = true
	found := make(map[string]presence)
	for p, err := range rs.node.Clients(ctx) {
		if err != nil {
			complete = false
		} else if p.Node != rs.node.ID() {
			found[p.Client] = presence{p.Node, p.Meta}
		}
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for client, c := range found {
		rs.update(client, c.node, c.meta)
	}
	if !complete {
		return false
	}
	for client, c := range rs.presents.others(rs.node.ID()) {
		if _, ok := found[client]; !ok {
			rs.update(client, c.node, nil)
		}
	}
	return true
}
