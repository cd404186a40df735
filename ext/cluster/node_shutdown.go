package cluster

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"
)

// relaySpread is the time over which a node that shuts down cuts the links that
// it passes on; at most half of the time that it has.
const relaySpread = 2 * time.Second

// Shutdown leaves the cluster without harm. It takes no new clients, and shuts
// the servers down (rpc.Server.Shutdown). That moves their clients to other
// nodes, relayed ones too. It cuts the links that it relays to other nodes; they
// come back elsewhere. Then it leaves the directory. The calls that other nodes
// have made here finish, and those of this node to others: a program ends its
// endless ones before. If ctx ends first, the remaining calls fail, and Shutdown
// returns the error of ctx.
func (n *Node) Shutdown(ctx context.Context) error {
	servers := n.listServers()
	if !n.alone {
		n.members.drain()
	}
	errs := make([]error, len(servers)+3)
	var all sync.WaitGroup
	for i, srv := range servers {
		all.Go(func() { errs[i] = srv.Shutdown(ctx) })
	}
	all.Go(func() { errs[len(servers)] = n.relays.drain(ctx, spreadWithin(ctx)) })
	all.Wait()
	n.endDetached()
	n.depart()
	errs[len(servers)+1] = n.inner.Shutdown(ctx)
	errs[len(servers)+2] = n.nodes.shutdown(ctx)
	n.Close()
	if err := cmp.Or(errs...); err != nil {
		return fmt.Errorf("cluster: Shutdown: %w", err)
	}
	return nil
}

func spreadWithin(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(min(relaySpread, time.Until(deadline)/2), 0)
	}
	return relaySpread
}

// Close leaves the cluster at once. The servers are not closed; a program that
// uses Close closes them before.
func (n *Node) Close() {
	n.leave()
	n.stopChange()
	n.health.changed()
	n.depart()
	n.topics.close()
	_ = n.inner.Close()
	n.nodes.close()
	n.passing.close()
}

// depart makes the other nodes find no client here, and forget this node.
func (n *Node) depart() {
	n.departing.Do(func() {
		n.directory.close()
		n.announcer.close()
		if !n.alone {
			n.members.leave()
		}
	})
}
