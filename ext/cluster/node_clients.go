package cluster

import (
	"context"
	"iter"
	"slices"

	"github.com/parley-rpc/parley/rpc"
)

// Lookup finds the newest connection of a client. It asks the client's node,
// unless that is this one: a request on the bus and its answer. Calls to a
// client need no Lookup. While the bus is unavailable, Lookup returns what the
// client's node has answered last. CodeNotFound: the client is not connected.
// CodeUnavailable: the bus or the client's node does not answer.
func (n *Node) Lookup(ctx context.Context, client string) (Presence, error) {
	return n.directory.confirm(ctx, client)
}

// LookupAll finds all connections of a client, the newest first.
func (n *Node) LookupAll(ctx context.Context, client string) ([]Presence, error) {
	return n.directory.lookupAll(ctx, client)
}

// SetMeta sets the metadata of a connection's presence: at most 1 KiB of keys
// and values. The first handler of a connection may call it, though the
// connection may not be in the directory yet: it then joins with the metadata.
// CodeNotFound: the connection has ended, is not one of this node, or has no
// name (Config.Identify).
func (n *Node) SetMeta(c *rpc.Conn, meta map[string]string) error {
	if err := checkMeta(meta); err != nil {
		return err
	}
	if n.keepMeta(c, meta) {
		return nil
	}
	client, session, ok := n.clients.names(c)
	if !ok {
		return rpc.Errorf(rpc.CodeNotFound, "the connection is not in the directory")
	}
	return n.directory.setMeta(client, session, meta)
}

// keepMeta keeps the metadata of a connection that is about to join, and
// reports whether it is.
func (n *Node) keepMeta(c *rpc.Conn, meta map[string]string) bool {
	client, ok := n.config.Identify(c)
	if !ok || checkClientName(client) != nil || c.Err() != nil || !n.serves(c) || !n.clients.keep(c, meta) {
		return false
	}
	if c.Err() != nil { // disconnected may have been called
		n.clients.drop(c)
		return false
	}
	return true
}

// serves reports whether a server of this node has a connection.
func (n *Node) serves(c *rpc.Conn) bool {
	if id, ok := ownerOf(c.SessionID()); ok {
		return id == n.id
	}
	return slices.ContainsFunc(n.listServers(), func(s *rpc.Server) bool { return slices.Contains(s.Conns(), c) })
}

// Watch ranges over what happens to the clients of all nodes, until ctx ends,
// whose error is the last item. It begins with PresenceMissed: what was before
// is not known. PresenceMissed says later that events of a node were missed.
func (n *Node) Watch(ctx context.Context) iter.Seq2[PresenceEvent, error] {
	return n.watches.watch(ctx)
}

// Client returns a Caller of a client, wherever it is connected. A call to a
// node that the client has left is made again where it is: it has not reached
// the client. Calls fail with CodeNotFound if the client is not connected, and
// with CodeUnavailable if its node does not answer.
func (n *Node) Client(name string) rpc.Caller {
	onward := rpc.WithMetadata(clientKey, name)
	again := rpc.WithReroute(func(ctx context.Context, _ *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		n.directory.forget(name)
		if conn := n.localConn(name); conn != nil {
			return conn, []rpc.CallOption{ownHeader}, nil
		}
		to, err := n.locate(ctx, name)
		return to, nil, err
	})
	options := []rpc.CallOption{onward, again}
	return rpc.Router(func(ctx context.Context, _ *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		if conn := n.localConn(name); conn != nil {
			return conn, nil, nil
		}
		to, err := n.locate(ctx, name)
		return to, options, err
	})
}

// locate returns a Caller of the node where a client is.
func (n *Node) locate(ctx context.Context, client string) (rpc.Caller, error) {
	for again := false; ; again = true {
		p, err := n.directory.lookup(ctx, client)
		if err != nil {
			return nil, rpc.StatusOf(err)
		}
		if p.Node == n.id {
			return nil, notConnected(client)
		}
		to, err := n.node(ctx, p.Node)
		if err == nil || again || n.members.lives(p.Node) {
			return to, err
		} // the node has left since
	}
}

// localConn returns the newest connection of a client to this node, or nil.
func (n *Node) localConn(client string) *rpc.Conn {
	for i := 0; ; i++ {
		session, ok := n.directory.localSession(client, i)
		if !ok {
			return nil
		}
		if c := n.clients.conn(session); c != nil {
			return c
		}
	}
}
