package cluster

import (
	"context"
	"time"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
	"github.com/parley-rpc/parley/rpc"
)

// movedMethod tells a node that has called a client at another node, on the
// connection of that call, that the client is not there any more.
var movedMethod = &rpc.Method{Service: nodeService, Name: "Moved", Idempotency: rpc.Idempotent}

// movedTimeout is how long a node tries to tell another one of a client that has
// moved. If that fails, its calls take one more hop until its cache forgets.
const movedTimeout = time.Second

// tellMoved tells the caller of a call that the client has moved.
func (n *Node) tellMoved(call *rpc.Call, client string) {
	caller := call.Conn
	if caller == nil {
		return
	}
	n.passing.start(func() {
		ctx, cancel := context.WithTimeout(n.ctx, movedTimeout)
		defer cancel()
		_, err := rpc.CallUnary[clusterv1.ClientMessage, clusterv1.ClientResponse](ctx, caller, movedMethod,
			&clusterv1.ClientMessage{Client: client, Node: n.id[:]})
		if err != nil {
			n.config.Logger.Debug("cluster: a node was not told that a client has moved", "reason", err)
		}
	})
}

// dialedServices are what a node serves on the connections that it has dialed.
func (n *Node) dialedServices() *rpc.Mux {
	mux := rpc.NewMux()
	mux.Register(&rpc.Service{Name: nodeService, Methods: []rpc.ServiceMethod{{
		Method: movedMethod,
		Handler: rpc.UnaryHandler(func(_ context.Context, m *clusterv1.ClientMessage) (*clusterv1.ClientResponse, error) {
			node, err := parseNodeID(m.Node)
			if err != nil {
				return nil, rpc.Errorf(rpc.CodeInvalidArgument, "%w", err)
			}
			n.directory.cache.forgetAt(m.Client, node)
			return new(clusterv1.ClientResponse), nil
		}),
	}}})
	return mux
}
