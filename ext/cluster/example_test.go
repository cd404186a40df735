package cluster_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/parley-rpc/parley/ext/cluster"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// bell is what a client serves.
type bell struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (bell) Ping(_ context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	return &pingv1.PingResponse{Text: req.Text}, nil
}

// serveNode starts a node and its two HTTP servers: for clients, and for other
// nodes.
func serveNode(bus cluster.Bus, name string) (node *cluster.Node, url string, stop func()) {
	forNodes := http.NewServeMux()
	inner := httptest.NewServer(forNodes)
	//snippet:node
	node, err := cluster.New(cluster.Config{
		Bus:         bus,
		Name:        name,
		Advertise:   "ws" + strings.TrimPrefix(inner.URL, "http") + "/node",
		Credentials: cluster.Credentials{Secret: "known to all nodes"},
	})
	if err != nil {
		panic(err)
	}
	forNodes.Handle("/node", node.NodeHandler()) // at an address that clients cannot reach

	authenticate := rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		return rpc.WithPrincipal(r.Context(), r.Header.Get("Authorization")), nil // of your own
	})
	srv := rpc.NewServer(append(node.ServerOptions(), authenticate)...)
	clients := httptest.NewServer(node.Handler(srv)) // instead of srv
	//snippet:end
	return node, "ws" + strings.TrimPrefix(clients.URL, "http"), func() {
		_ = srv.Close()
		node.Close()
		clients.Close()
		inner.Close()
	}
}

// until waits until a condition holds.
func until(ok func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if ok() {
			return
		}
	}
}

// A node calls a client that is connected to another one.
func ExampleNode_Client() {
	ctx, bus := context.Background(), cluster.NewMemoryBus()
	one, url, stop := serveNode(bus, "one")
	defer stop()
	two, _, stopTwo := serveNode(bus, "two")
	defer stopTwo()

	mux := rpc.NewMux()
	pingv1parley.RegisterPingServiceServer(mux, bell{})
	client := rpc.NewClient(url, rpc.WithServices(mux), rpc.WithHTTPHeader(http.Header{"Authorization": {"front-door"}}))
	defer client.Close()
	if _, err := client.Connect(ctx); err != nil {
		fmt.Println(err)
		return
	}
	until(func() bool {
		_, err := one.Lookup(ctx, "front-door")
		return err == nil && len(two.Nodes()) == 1
	})
	//snippet:client
	presence, err := two.Lookup(ctx, "front-door")
	fmt.Println(presence.NodeName, err)
	door := pingv1parley.NewPingServiceClient(two.Client("front-door"))
	res, err := door.Ping(ctx, &pingv1.PingRequest{Text: "ding"})
	fmt.Println(res.GetText(), err)
	//snippet:end
	// Output:
	// one <nil>
	// ding <nil>
}
