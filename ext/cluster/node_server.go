package cluster

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/parley-rpc/parley/rpc"
)

// Handler returns the handler to be mounted instead of srv, which was made with
// ServerOptions. It serves the links of new clients and of this node's sessions
// with srv, and passes those of other nodes' sessions on.
func (n *Node) Handler(srv *rpc.Server) http.Handler {
	n.mu.Lock()
	n.servers = append(n.servers, srv)
	n.mu.Unlock()
	return &entry{srv: srv, relays: n.relays, owner: n.owner, ctx: n.ctx, passing: &n.passing}
}

// owner returns the node that has a session, nil if it is this one, or gone.
// An error says that this node does not know.
func (n *Node) owner(ctx context.Context, session []byte) (rpc.Caller, error) {
	id, ok := ownerOf(session)
	if !ok || id == n.id {
		return nil, nil
	}
	other, err := n.members.await(ctx, id)
	switch {
	case errors.Is(err, errUnsettled), ctx.Err() != nil:
		return nil, err
	case err != nil:
		return nil, nil
	}
	caller, err := n.callerOf(other)
	if err != nil {
		return nil, nil
	}
	return caller, nil
}

// node returns a Caller of the services of another node. If this node has just
// started, it waits a little until it knows the other one.
func (n *Node) node(ctx context.Context, id NodeID) (rpc.Caller, error) {
	other, err := n.members.await(ctx, id)
	if err != nil {
		return nil, err
	}
	return n.reach(other)
}

// reach is callerOf, but fails if the last connection to the node has failed,
// until there is another one.
func (n *Node) reach(other nodeInfo) (rpc.Caller, error) {
	caller, err := n.callerOf(other)
	if err == nil && n.nodes.isUnreachable(other.ID) {
		return nil, rpc.Errorf(rpc.CodeUnavailable, "node %s cannot be reached", other.Name)
	}
	return caller, err
}

func (n *Node) callerOf(other nodeInfo) (rpc.Caller, error) {
	if other.URL == "" {
		return nil, rpc.Errorf(rpc.CodeUnavailable, "node %s has no address for other nodes", other.Name)
	}
	return n.nodes.caller(other.ID, other.URL)
}

// serverOf returns the server that has a session, or nil.
func (n *Node) serverOf(session []byte) *rpc.Server {
	for _, srv := range n.listServers() {
		if srv.HasSession(session) {
			return srv
		}
	}
	return nil
}

func (n *Node) listServers() []*rpc.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.servers)
}

// NodeHandler returns the handler for other nodes, to be mounted at
// Config.Advertise: at an address of its own, with TLS, which clients cannot
// reach.
func (n *Node) NodeHandler() http.Handler { return n.inner }

// newInnerServer returns the server for other nodes.
func (n *Node) newInnerServer() *rpc.Server {
	srv := rpc.NewServer(
		rpc.WithLogger(n.config.Logger),
		rpc.WithAuthentication(n.authenticateNode),
		nodeLinks,
		rpc.OnConnect(n.endEarlier),
		rpc.OnDetached(n.detached),
		rpc.WithDrain(rpc.Drain{Spread: -1}), // the other nodes need no new connection in place of the old one
		rpc.WithHandlerInterceptors(n.dispatch),
	)
	srv.Register(&rpc.Service{Name: nodeService, Methods: []rpc.ServiceMethod{
		relayHandler(n.serverOf),
		replaceHandler(n.listServers),
		{Method: clientsMethod, Handler: rpc.ServerStreamHandler(n.serveClients)},
	}})
	srv.HandleUnknown(func(_ context.Context, s rpc.Stream) error {
		return rpc.Errorf(rpc.CodeUnimplemented, "no node serves %s: Node.Register registers services for other nodes", s.Call().Method.Path())
	})
	return srv
}

// nodeService is what nodes serve to each other, besides what Node.Register adds.
const nodeService = "parley.cluster.v1.NodeService"

// dispatch forwards calls that are for a client of this node.
func (n *Node) dispatch(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		if client := s.Call().HeaderValue(clientKey); client != "" {
			return n.forwardTo(ctx, s, client)
		}
		return next(ctx, s)
	}
}

// forwardTo forwards another node's call to a client. If the client is not here
// any more, the other node makes the call where it is: nothing passes through
// two nodes, and a node that shuts down waits for no call that passes through.
func (n *Node) forwardTo(ctx context.Context, s rpc.Stream, client string) error {
	n.counters.forwarded.Add(1)
	c := n.localConn(client)
	if c == nil {
		return rpc.Refuse("the client is not at this node any more")
	}
	return rpc.Forward(ctx, s, c, ownHeader)
}

func notConnected(client string) error {
	return rpc.Errorf(rpc.CodeNotFound, "client %q is not connected", client)
}
