package cluster

import (
	"context"
	"sync"

	"github.com/parley-rpc/parley/rpc"
)

// nodeConns are the connections of a node to others: one to each, made when it
// is needed, and ended when the other node has left or is gone.
type nodeConns struct {
	opts []rpc.ClientOption

	ctx    context.Context // until close
	cancel context.CancelFunc
	ending linkGroup // connections that are ending

	mu     sync.Mutex
	byNode map[NodeID]*rpc.Client
	closed bool
}

func newNodeConns(opts ...rpc.ClientOption) *nodeConns {
	c := &nodeConns{opts: opts, byNode: make(map[NodeID]*rpc.Client)}
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
	}
	return client, nil
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
	delete(c.byNode, id)
	c.mu.Unlock()
	if client != nil && !c.ending.start(func() { _ = client.Shutdown(ctx) }) {
		_ = client.Close()
	}
}

// close ends all connections.
func (c *nodeConns) close() {
	c.mu.Lock()
	c.closed = true
	all := c.byNode
	c.byNode = nil
	c.mu.Unlock()
	c.cancel()
	for _, client := range all {
		_ = client.Close()
	}
	c.ending.close()
}
