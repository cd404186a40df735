package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// testNode is a node with a server of clients, and one for other nodes, on real
// sockets.
type testNode struct {
	*Node
	srv     *rpc.Server
	clients *countingServer
	inner   *countingServer
}

const testSecret = "a secret of the cluster's nodes"

// startNodes starts nodes on one bus.
func startNodes(t *testing.T, n int, change func(*Config)) []*testNode {
	t.Helper()
	bus := NewMemoryBus()
	var nodes []*testNode
	for i := range n {
		nodes = append(nodes, startNode(t, bus, fmt.Sprint("node-", i), change))
	}
	for _, node := range nodes {
		eventually(t, func() bool { return len(node.Nodes()) == n-1 })
	}
	return nodes
}

// startNode starts a node.
func startNode(t *testing.T, bus Bus, name string, change func(*Config)) *testNode {
	t.Helper()
	var handler atomic.Pointer[http.Handler]
	inner := newCountingServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*handler.Load()).ServeHTTP(w, r) }))
	config := Config{
		Bus: bus, Name: name, Advertise: inner.url(),
		Credentials: Credentials{Secret: testSecret},
	}
	if change != nil {
		change(&config)
	}
	node, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	h := node.NodeHandler()
	handler.Store(&h)
	srv := rpc.NewServer(append(node.ServerOptions(), rpc.WithAuthentication(byName))...)
	srv.Register(&rpc.Service{Name: "test.Echo", Methods: []rpc.ServiceMethod{
		{Method: whoMethod, Handler: rpc.UnaryHandler(func(ctx context.Context, _ *text) (*text, error) {
			return &text{Value: node.Name()}, nil
		})},
	}})
	tn := &testNode{Node: node, srv: srv, inner: inner, clients: newCountingServer(t, node.Handler(srv))}
	t.Cleanup(func() {
		_ = srv.Close()
		node.Close()
		tn.clients.cut()
	})
	return tn
}

// eventually waits until a condition holds.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if ok() {
			return
		}
		<-tick.C
	}
	t.Fatal("it did not happen within 10 s")
}

// device connects a client that serves calls, and waits until the node knows it.
func (n *testNode) device(t *testing.T, name string) *rpc.Client {
	t.Helper()
	mux := rpc.NewMux()
	mux.Register(deviceService(name))
	client := rpc.NewClient(n.clients.url(), rpc.WithServices(mux), rpc.WithHTTPHeader(http.Header{"Authorization": {name}}))
	t.Cleanup(func() { _ = client.Close() })
	if _, err := client.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	who(t, client)
	eventually(t, func() bool { return n.localConn(name) != nil })
	return client
}

// testBalancer spreads links over nodes in turn, without stickiness.
type testBalancer struct {
	mu    sync.Mutex
	nodes []*testNode
	turn  int
}

func newTestBalancer(nodes ...*testNode) *testBalancer { return &testBalancer{nodes: nodes} }

// set makes links go to other nodes.
func (b *testBalancer) set(nodes ...*testNode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = nodes
}

func (b *testBalancer) next() (*testNode, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.nodes) == 0 {
		return nil, errors.New("no node")
	}
	b.turn++
	return b.nodes[b.turn%len(b.nodes)], nil
}

// client returns a client behind the balancer, which serves calls.
func (b *testBalancer) client(t *testing.T, name string) *rpc.Client {
	t.Helper()
	mux := rpc.NewMux()
	mux.Register(deviceService(name))
	client := rpc.NewClient("ws://cluster/", rpc.WithServices(mux), rpc.WithHTTPHeader(http.Header{"Authorization": {name}}),
		rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
			n, err := b.next()
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			return d.DialContext(ctx, network, n.clients.Listener.Addr().String())
		}))
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// callLoop makes calls one after another until stop, and fails the test if one
// fails.
type callLoop struct {
	n    atomic.Int64
	quit chan struct{}
	done chan struct{}
}

func startCalls(t *testing.T, what string, call func() error) *callLoop {
	l := &callLoop{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for {
			select {
			case <-l.quit:
				return
			default:
			}
			if err := call(); err != nil {
				t.Errorf("%s, call %d: %v", what, l.n.Load(), err)
				return
			}
			l.n.Add(1)
		}
	}()
	return l
}

// more waits until some more calls have ended.
func (l *callLoop) more(t *testing.T, n int64) {
	t.Helper()
	want := l.n.Load() + n
	eventually(t, func() bool { return l.n.Load() >= want || isDone(l.done) })
}

func (l *callLoop) stop() {
	close(l.quit)
	<-l.done
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func hello(ctx context.Context, c rpc.Caller) error {
	_, err := rpc.CallUnary[text, text](ctx, c, helloMethod, &text{Value: "hi"})
	return err
}

func whoErr(ctx context.Context, c rpc.Caller) error {
	_, err := rpc.CallUnary[text, text](ctx, c, whoMethod, new(text))
	return err
}
