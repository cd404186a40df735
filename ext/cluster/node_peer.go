package cluster

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// Connections between nodes are within one network. So the loss of a link is
// noticed within 2 s, and a node that is dialed answers within 2 s. Calls in
// flight outlive a node that is frozen, or cut off, for almost 10 s.
const (
	nodeKeepalive   = time.Second
	nodeWindow      = 10 * time.Second
	nodeDialTimeout = 2 * time.Second
)

// maxNodeStreams is how many calls and relayed links another node may have open
// at this one.
const maxNodeStreams = 1 << 14

// nodeHeader has the id of the node that dials.
const nodeHeader = "Parley-Cluster-Node"

// nodeLinks are the options of both ends of connections between nodes.
var nodeLinks = rpc.Options(
	rpc.WithTransport(transport.Parameters{
		MaxStreams: maxNodeStreams, Keepalive: nodeKeepalive, KeepaliveTimeout: nodeKeepalive,
	}),
	rpc.WithResumption(rpc.Resumption{Window: nodeWindow}),
	rpc.WithHandshakeTimeout(nodeDialTimeout),
)

// dialOptions returns how this node dials others.
func (n *Node) dialOptions() []rpc.ClientOption {
	return append(n.config.Credentials.dialOptions(), nodeLinks, rpc.WithLogger(n.config.Logger),
		rpc.WithHTTPHeader(http.Header{nodeHeader: {n.id.String()}}))
}

// authenticateNode checks that a link is another node's. The principal is the id
// of the node.
func (n *Node) authenticateNode(r *http.Request) (context.Context, error) {
	if err := n.config.Credentials.check(r); err != nil {
		return nil, err
	}
	id := r.Header.Get(nodeHeader)
	if _, err := parseNodeName(id); err != nil {
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "a node must show its id: header %s: %w", nodeHeader, err)
	}
	return rpc.WithPrincipal(r.Context(), id), nil
}

// parseNodeName parses what NodeID.String returns.
func parseNodeName(name string) (NodeID, error) {
	data, err := hex.DecodeString(name)
	if err != nil {
		return NodeID{}, err
	}
	return parseNodeID(data)
}

// errNodeGone is the status of calls of a node that is gone.
var errNodeGone = rpc.Errorf(rpc.CodeUnavailable, "the node that made the call is gone")

// endDetached ends the detached connections from nodes that are gone, now and
// later. They may be frozen, and return, but a Shutdown does not wait for that.
func (n *Node) endDetached() {
	n.endsGone.Store(true)
	for _, c := range n.inner.Conns() {
		if c.Detached() {
			n.detached(c)
		}
	}
}

// endEarlier ends detached connections from a node that has made another one: it
// does so only when it has given up those before. It may have been taken for
// gone, or this node was.
func (n *Node) endEarlier(c *rpc.Conn) {
	for _, other := range n.inner.Conns() {
		if other != c && other.Principal() == c.Principal() && other.Detached() {
			n.end(other)
		}
	}
}

// detached is called when the link of a connection from another node is lost.
func (n *Node) detached(c *rpc.Conn) {
	if !n.endsGone.Load() {
		return
	}
	if id, err := parseNodeName(c.Principal()); err == nil && !n.members.lives(id) {
		n.end(c)
	}
}

// end ends a connection from another node in the background: it may take a
// second.
func (n *Node) end(c *rpc.Conn) { n.passing.start(func() { _ = c.End(errNodeGone) }) }
