package cluster

import (
	"sync"

	"github.com/parley-rpc/parley/rpc"
)

// nodeConns are the connections of a node to others: one to each, made when it
// is needed, and ended when the other node is gone.
type nodeConns struct {
	opts []rpc.ClientOption

	mu     sync.Mutex
	byNode map[NodeID]*rpc.Client
	closed bool
}

func newNodeConns(opts ...rpc.ClientOption) *nodeConns {
	return &nodeConns{opts: opts, byNode: make(map[NodeID]*rpc.Client)}
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

// remove ends the connection to a node that is gone: its calls fail with
// CodeUnavailable, and its relayed links are lost.
func (c *nodeConns) remove(id NodeID) {
	c.mu.Lock()
	client := c.byNode[id]
	delete(c.byNode, id)
	c.mu.Unlock()
	if client != nil {
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
	for _, client := range all {
		_ = client.Close()
	}
}
