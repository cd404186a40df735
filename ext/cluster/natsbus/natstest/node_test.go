package natstest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/rpc"
)

type text = wrapperspb.StringValue

var helloMethod = &rpc.Method{Service: "test.Device", Name: "Hello"}

// startNode starts a node with a server of clients, and one for other nodes.
func startNode(t *testing.T, bus cluster.Bus) (node *cluster.Node, url string) {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
	t.Cleanup(inner.Close)
	node, err := cluster.New(cluster.Config{
		Bus: bus, Advertise: webSocketURL(inner),
		Credentials: cluster.Credentials{Secret: "a secret of the cluster's nodes"},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := node.NodeHandler()
	handler.Store(&h)
	srv := rpc.NewServer(append(node.ServerOptions(), rpc.WithAuthentication(byName))...)
	outer := httptest.NewServer(node.Handler(srv))
	t.Cleanup(func() {
		_ = srv.Close()
		node.Close()
		outer.Close()
	})
	return node, webSocketURL(outer)
}

func byName(r *http.Request) (context.Context, error) {
	return rpc.WithPrincipal(r.Context(), r.Header.Get("Authorization")), nil
}

func webSocketURL(s *httptest.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") }

// connectDevice connects a client that serves calls.
func connectDevice(t *testing.T, url, name string) {
	t.Helper()
	mux := rpc.NewMux()
	mux.Register(&rpc.Service{Name: helloMethod.Service, Methods: []rpc.ServiceMethod{
		{Method: helloMethod, Handler: rpc.UnaryHandler(func(_ context.Context, req *text) (*text, error) {
			return &text{Value: name + ": " + req.Value}, nil
		})},
	}})
	client := rpc.NewClient(url, rpc.WithServices(mux), rpc.WithHTTPHeader(http.Header{"Authorization": {name}}))
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until an operation succeeds.
func eventually(t *testing.T, timeout time.Duration, what string, do func() error) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(timeout); time.Now().Before(end); <-tick.C {
		if err = do(); err == nil {
			return
		}
	}
	t.Fatalf("%s: after %v: %v", what, timeout, err)
}

func TestClientOfAnotherNodeIsCalled(t *testing.T) {
	s := newServer(t)
	busA, busB := s.newBus(), s.newBus()
	a, urlA := startNode(t, busA)
	b, urlB := startNode(t, busB)
	call := func(node *cluster.Node, name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		res, err := rpc.CallUnary[text, text](ctx, node.Client(name), helloMethod, &text{Value: "hi"})
		if err == nil && res.Value != name+": hi" {
			t.Errorf("got %q", res.Value)
		}
		return err
	}
	connectDevice(t, urlA, "first")
	for name, node := range map[string]*cluster.Node{"this node": a, "the other node": b} {
		eventually(t, limit, "a call from "+name, func() error { return call(node, "first") })
	}
	if err := call(b, "nobody"); rpc.CodeOf(err) != rpc.CodeNotFound {
		t.Errorf("a call to a client that is not connected: %v", err)
	}

	s.kill()
	eventually(t, limit, "a call of a client of this node, without NATS", func() error { return call(a, "first") })
	connectDevice(t, urlB, "second") // NATS learns of it later
	s.start()
	eventually(t, 3*time.Second, "a call after NATS is back", func() error { return call(a, "second") })
	eventually(t, 3*time.Second, "a call after NATS is back", func() error { return call(b, "first") })
}
