package cluster

import (
	"context"
	"time"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// replaceMethod tells the owner of a session that its client has given it up.
var replaceMethod = &rpc.Method{Service: nodeService, Name: "Replace", Idempotency: rpc.Idempotent}

// replaceTimeout is how long the owner of a session may take to end it. If that
// fails, the session ends with its window.
const replaceTimeout = 5 * time.Second

// endPredecessor makes the owner of a session end it, as c has replaced it.
func (n *Node) endPredecessor(c *rpc.Conn, lost transport.Predecessor) {
	ctx, cancel := context.WithTimeout(n.ctx, replaceTimeout)
	defer cancel()
	owner, err := n.owner(ctx, lost.Session)
	if owner == nil {
		return // it is this node, or gone
	}
	var start *clusterv1.RelayStart
	if err == nil {
		start = newRelayStart(rpc.WithPrincipal(ctx, c.Principal()), c.Peer(), lost.Session)
		_, err = rpc.CallUnary[clusterv1.Replacement, clusterv1.ReplacementResponse](ctx, owner, replaceMethod,
			&clusterv1.Replacement{Client: start, Token: lost.Token, Attempt: lost.Attempt})
	}
	if err != nil {
		n.config.Logger.Debug("cluster: a session that was replaced lasts until the end of its window", "reason", err)
	}
}

// replaceHandler is the handler of replaceMethod. servers returns the servers of
// this node.
func replaceHandler(servers func() []*rpc.Server) rpc.ServiceMethod {
	return rpc.ServiceMethod{
		Method: replaceMethod,
		Handler: rpc.UnaryHandler(func(_ context.Context, req *clusterv1.Replacement) (*clusterv1.ReplacementResponse, error) {
			if req.Client == nil {
				return nil, rpc.Errorf(rpc.CodeInvalidArgument, "Replacement without a client")
			}
			base, peer, err := decodeRelayStart(context.Background(), req.Client)
			if err != nil {
				return nil, rpc.Errorf(rpc.CodeInvalidArgument, "malformed RelayStart: %w", err)
			}
			lost := transport.Predecessor{Session: req.Client.Session, Token: req.Token, Attempt: req.Attempt}
			for _, srv := range servers() {
				if srv.EndPredecessor(base, peer, lost) {
					return &clusterv1.ReplacementResponse{Ended: true}, nil
				}
			}
			return new(clusterv1.ReplacementResponse), nil
		}),
	}
}
