package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// nodeConns are the connections of a node to others: one to each, made when it
// is needed, and ended when the other node has left or is gone.
type nodeConns struct {
	opts    []rpc.ClientOption
	changed func() // called when a node becomes unreachable, or reachable again

	ctx    context.Context // until close
	cancel context.CancelFunc
	ending linkGroup // connections that are ending

	mu          sync.Mutex
	byNode      map[NodeID]*rpc.Client
	unreachable map[NodeID]struct{} // of byNode, those to which the last connection has failed
	closed      bool
	following   sync.WaitGroup

	failed atomic.Int64 // len(unreachable)
}

func newNodeConns(opts ...rpc.ClientOption) *nodeConns {
	c := &nodeConns{
		opts: opts, changed: func() {},
		byNode: make(map[NodeID]*rpc.Client), unreachable: make(map[NodeID]struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// caller returns a Caller of the services of a node at a URL. It does not wait.
func (c *nodeConns) caller(id NodeID, url string) (rpc.Caller, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, rpc.Errorf(rpc.CodeUnavailable, "this node has left the cluster")
	}
	client := c.byNode[id]
	if client == nil {
		client = rpc.NewClient(url, c.opts...)
		c.byNode[id] = client
		c.following.Go(func() { c.follow(id, client) })
	}
	return client, nil
}

// follow notes whether a node can be reached, until its connection is closed.
func (c *nodeConns) follow(id NodeID, client *rpc.Client) {
	resuming := time.AfterFunc(time.Hour, func() {
		if s := client.State(); s == rpc.StateResuming || s == rpc.StateConnecting {
			c.note(id, client, s)
		}
	})
	defer resuming.Stop()
	for s := range client.States(context.Background()) {
		switch s {
		case rpc.StateResuming:
			resuming.Reset(mostResuming)
		case rpc.StateTransientFailure, rpc.StateReady:
			resuming.Stop()
			c.note(id, client, s)
		}
	}
}

// mostResuming is how long the loss of a connection's link may last before new
// calls fail. Those in flight wait until the end of the resume window.
const mostResuming = 500 * time.Millisecond

func (c *nodeConns) note(id NodeID, client *rpc.Client, s rpc.State) {
	c.mu.Lock()
	if c.byNode[id] != client {
		c.mu.Unlock()
		return
	}
	before := len(c.unreachable)
	if s == rpc.StateReady {
		delete(c.unreachable, id)
	} else {
		c.unreachable[id] = struct{}{}
	}
	changed := len(c.unreachable) != before
	c.failed.Store(int64(len(c.unreachable)))
	c.mu.Unlock()
	if changed {
		c.changed()
	}
}

// isUnreachable reports whether the last connection to a node has failed, or its
// last link, and another one is being tried: a call would wait for that.
func (c *nodeConns) isUnreachable(id NodeID) bool {
	if c.failed.Load() == 0 {
		return false // no call waits for mu
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, failed := c.unreachable[id]
	if !failed {
		return false
	}
	s := c.byNode[id].State()
	return s == rpc.StateConnecting || s == rpc.StateResuming
}

// count returns how many connections there are, and to how many nodes the last
// one has failed.
func (c *nodeConns) count() (dialed, unreachable int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byNode) - len(c.unreachable), len(c.unreachable)
}

// left ends the connection to a node that has left the cluster: the calls in
// flight finish. The other node ends those that take too long.
func (c *nodeConns) left(id NodeID) { c.end(c.ctx, id) }

// gone ends the connection to a node that is gone: its calls fail with
// CodeUnavailable, and its relayed links are lost.
func (c *nodeConns) gone(id NodeID) {
	ended, cancel := context.WithCancel(c.ctx)
	cancel()
	c.end(ended, id)
}

// end ends a connection in the background. ctx bounds how long its calls may
// take.
func (c *nodeConns) end(ctx context.Context, id NodeID) {
	c.mu.Lock()
	client := c.byNode[id]
	_, wasUnreachable := c.unreachable[id]
	delete(c.byNode, id)
	delete(c.unreachable, id)
	c.failed.Store(int64(len(c.unreachable)))
	c.mu.Unlock()
	if client != nil && !c.ending.start(func() { _ = client.Shutdown(ctx) }) {
		_ = client.Close()
	}
	if wasUnreachable {
		c.changed()
	}
}

// shutdown lets the calls to other nodes finish, until ctx ends, whose error it
// returns then.
func (c *nodeConns) shutdown(ctx context.Context) error {
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.byNode))
	c.mu.Unlock()
	errs := make([]error, len(all))
	var ending sync.WaitGroup
	for i, client := range all {
		ending.Go(func() { errs[i] = client.Shutdown(ctx) })
	}
	ending.Wait()
	return cmp.Or(errs...)
}

// close ends all connections.
func (c *nodeConns) close() {
	c.mu.Lock()
	c.closed = true
	all := c.byNode
	c.byNode, c.unreachable = nil, nil
	c.mu.Unlock()
	c.cancel()
	for _, client := range all {
		_ = client.Close()
	}
	c.ending.close()
	c.following.Wait()
}
