package cluster

import (
	"context"
	"iter"
	"slices"

	"github.com/parley-rpc/parley/rpc"
)

// Lookup finds the newest connection of a client. CodeNotFound: the client is
// not connected. CodeUnavailable: the bus or the client's node does not answer.
func (n *Node) Lookup(ctx context.Context, client string) (Presence, error) {
	return n.directory.lookup(ctx, client)
}

// LookupAll finds all connections of a client, the newest first.
func (n *Node) LookupAll(ctx context.Context, client string) ([]Presence, error) {
	return n.directory.lookupAll(ctx, client)
}

// SetMeta sets the metadata of a connection's presence: at most 1 KiB of keys
// and values.
func (n *Node) SetMeta(c *rpc.Conn, meta map[string]string) error {
	client, session, ok := n.clients.names(c)
	if !ok {
		return rpc.Errorf(rpc.CodeNotFound, "the connection is not in the directory")
	}
	return n.directory.setMeta(client, session, meta)
}

// Watch ranges over what happens to the clients of all nodes, until ctx ends,
// whose error is the last item. It begins with PresenceMissed: what was before
// is not known. PresenceMissed says later that events of a node were missed.
func (n *Node) Watch(ctx context.Context) iter.Seq2[PresenceEvent, error] {
	return n.watches.watch(ctx)
}

// Client returns a Caller of a client, wherever it is connected. Its calls
// fail with CodeNotFound if the client is not connected, and with
// CodeUnavailable if its node does not answer.
func (n *Node) Client(name string) rpc.Caller { return clientCaller{n, name} }

type clientCaller struct {
	n    *Node
	name string
}

// Open implements rpc.Caller.
func (c clientCaller) Open(ctx context.Context, m *rpc.Method, opts ...rpc.CallOption) (rpc.Stream, error) {
	if conn := c.n.localConn(c.name); conn != nil {
		return conn.Open(ctx, m, opts...)
	}
	for again := false; ; again = true {
		p, err := c.n.directory.lookup(ctx, c.name)
		if err != nil {
			return nil, rpc.StatusOf(err)
		}
		if p.Node == c.n.id {
			return nil, notConnected(c.name)
		}
		s, err := c.n.openAt(ctx, p.Node, c.name, m, opts)
		if err == nil || again || c.n.members.lives(p.Node) {
			return s, err
		} // the node has left since
	}
}

// openAt starts a call to a client of another node.
func (n *Node) openAt(ctx context.Context, node NodeID, client string, m *rpc.Method, opts []rpc.CallOption) (rpc.Stream, error) {
	to, err := n.node(ctx, node)
	if err != nil {
		return nil, err
	}
	return to.Open(ctx, m, append(slices.Clip(opts), rpc.WithMetadata(clientKey, client))...)
}

// localConn returns the newest connection of a client to this node, or nil.
func (n *Node) localConn(client string) *rpc.Conn {
	for _, p := range n.directory.local(client) {
		if c := n.clients.conn(p.session); c != nil {
			return c
		}
	}
	return nil
}
