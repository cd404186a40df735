package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

type text = wrapperspb.StringValue

var (
	echoMethod = &rpc.Method{Service: "test.Echo", Name: "Echo", ClientStreams: true, ServerStreams: true}
	whoMethod  = &rpc.Method{Service: "test.Echo", Name: "Who"}
)

// relayNode is a server of clients, and one of nodes, on real sockets.
type relayNode struct {
	id      NodeID
	srv     *rpc.Server
	clients *countingServer
	nodes   *countingServer
	conns   *nodeConns
	entry   *entry
	resumed atomic.Int64
}

// countingServer is an HTTP server whose hijacked connections can be cut.
type countingServer struct {
	*httptest.Server
	mu    sync.Mutex
	conns []net.Conn
}

func newCountingServer(t *testing.T, h http.Handler) *countingServer {
	s := &countingServer{Server: httptest.NewUnstartedServer(h)}
	s.countConns()
	s.Start()
	t.Cleanup(s.Server.Close)
	return s
}

// countConns notes the hijacked connections.
func (s *countingServer) countConns() {
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.conns = append(s.conns, c)
		}
	}
}

// cut breaks all connections.
func (s *countingServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *countingServer) url() string { return "ws" + strings.TrimPrefix(s.URL, "http") }

// relayCluster is nodes that pass links on to each other.
type relayCluster struct {
	nodes []*relayNode
	dials atomic.Int64              // links of clients, which go to the nodes in turn
	down  sync.RWMutex              // locked: links of clients wait
	only  atomic.Pointer[relayNode] // that links go to; nil: all in turn
}

func byName(r *http.Request) (context.Context, error) {
	return rpc.WithPrincipal(r.Context(), r.Header.Get("Authorization")), nil
}

func newRelayCluster(t *testing.T, n int, limit int64, opts ...rpc.ServerOption) *relayCluster {
	c := new(relayCluster)
	ctx, leave := context.WithCancel(context.Background())
	for range n {
		node := &relayNode{id: newNodeID(), conns: newNodeConns()}
		var sessions atomic.Int64
		node.srv = rpc.NewServer(append(opts, rpc.WithAuthentication(byName),
			rpc.OnResumed(func(*rpc.Conn) { node.resumed.Add(1) }),
			rpc.WithSessionIDs(func() []byte { return fmt.Appendf(node.id[:len(node.id):len(node.id)], "%016d", sessions.Add(1)) }))...)
		node.srv.Register(&rpc.Service{Name: "test.Echo", Methods: []rpc.ServiceMethod{
			{Method: echoMethod, Handler: func(_ context.Context, s rpc.Stream) error {
				for {
					var msg text
					if err := s.Recv(&msg); err != nil {
						if errors.Is(err, io.EOF) {
							return nil
						}
						return err
					}
					if err := s.Send(&msg); err != nil {
						return err
					}
				}
			}},
			{Method: whoMethod, Handler: rpc.UnaryHandler(func(ctx context.Context, _ *text) (*text, error) {
				peer := rpc.FromContext(ctx).Peer
				return &text{Value: rpc.Principal(ctx) + " " + peer.RequestURI + " " + node.id.String()}, nil
			})},
		}})
		inner := rpc.NewServer()
		inner.Register(&rpc.Service{Name: nodeService, Methods: []rpc.ServiceMethod{relayHandler(func(session []byte) *rpc.Server {
			if node.srv.HasSession(session) {
				return node.srv
			}
			return nil
		})}})
		node.nodes = newCountingServer(t, inner)
		node.entry = &entry{srv: node.srv, relays: &relays{limit: limit}, ctx: ctx, passing: new(linkGroup), owner: func(_ context.Context, session []byte) (rpc.Caller, error) {
			for _, other := range c.nodes {
				if other != node && strings.HasPrefix(string(session), string(other.id[:])) {
					caller, err := node.conns.caller(other.id, other.nodes.url())
					if err != nil {
						t.Error(err)
					}
					return caller, nil
				}
			}
			return nil, nil
		}}
		node.clients = newCountingServer(t, node.entry)
		c.nodes = append(c.nodes, node)
		t.Cleanup(func() { _ = inner.Close() })
	}
	t.Cleanup(func() {
		leave()
		for _, n := range c.nodes {
			_ = n.srv.Close()
			n.conns.close()
			n.clients.cut()
			n.entry.passing.close()
		}
	})
	return c
}

// client returns a client whose links go to the nodes in turn, as behind a
// balancer without stickiness.
func (c *relayCluster) client(t *testing.T, name string, opts ...rpc.ClientOption) *rpc.Client {
	client := rpc.NewClient("ws://cluster/rpc?room=42", append(opts,
		rpc.WithHTTPHeader(http.Header{"Authorization": {name}}),
		rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
			c.down.RLock()
			defer c.down.RUnlock()
			node := c.only.Load()
			if node == nil {
				node = c.nodes[int(c.dials.Add(1)-1)%len(c.nodes)]
			}
			var d net.Dialer
			return d.DialContext(ctx, network, node.clients.Listener.Addr().String())
		}))...)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (c *relayCluster) cut() {
	for _, n := range c.nodes {
		n.clients.cut()
	}
}

func (c *relayCluster) resumed() (n int64) {
	for _, node := range c.nodes {
		n += node.resumed.Load()
	}
	return n
}

func who(t *testing.T, client rpc.Caller) string {
	t.Helper()
	res, err := rpc.CallUnary[text, text](t.Context(), client, whoMethod, new(text))
	if err != nil {
		t.Error(err)
	}
	return res.GetValue()
}

func TestSessionResumesOnWhicheverNodeItsLinkReturns(t *testing.T) {
	c := newRelayCluster(t, 3, 100)
	client := c.client(t, "ada")
	began := who(t, client)
	if want := "ada /rpc?room=42 " + c.nodes[0].id.String(); began != want {
		t.Fatalf("%q, want %q", began, want)
	}
	stream, err := client.Open(t.Context(), echoMethod)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for i := range 20 {
		want := strings.Repeat(fmt.Sprint(i, " "), 20_000)
		sent := make(chan error, 1)
		go func() { sent <- stream.Send(&text{Value: want}) }()
		if i%2 == 1 {
			c.cut()
		}
		var got text
		if err := stream.Recv(&got); err != nil || got.Value != want {
			t.Fatalf("message %d: %d bytes, want %d: %v", i, len(got.Value), len(want), err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	if again := who(t, client); again != began {
		t.Errorf("served by %q, before by %q", again, began)
	}
	if c.resumed() == 0 || c.nodes[1].entry.relays.total.Load()+c.nodes[2].entry.relays.total.Load() == 0 {
		t.Error("no link was relayed")
	}
}

func TestRelayedLinkOfAnotherPrincipalDoesNotResume(t *testing.T) {
	c := newRelayCluster(t, 2, 100)
	name := atomic.Pointer[string]{}
	set := func(s string) { name.Store(&s) }
	set("ada")
	client := c.client(t, "", rpc.WithHandshakeRequest(func(r *http.Request) error {
		r.Header.Set("Authorization", *name.Load())
		return nil
	}))
	began := who(t, client)
	set("eve")
	c.cut()
	_, _ = rpc.CallUnary[text, text](t.Context(), client, whoMethod, new(text)) // it may be lost with the session
	if got := who(t, client); !strings.HasPrefix(got, "eve ") || began == got {
		t.Errorf("%q, before %q", got, began)
	}
	if c.resumed() != 0 {
		t.Error("the session was resumed")
	}
}

func TestSessionOfANodeThatForgotItIsUnknownAtOnce(t *testing.T) {
	c := newRelayCluster(t, 2, 100)
	client := c.client(t, "ada")
	who(t, client)
	c.only.Store(c.nodes[1])
	c.down.Lock()
	c.cut()
	for _, conn := range c.nodes[0].srv.Conns() {
		for !conn.Detached() {
			runtime.Gosched()
		}
		c.nodes[0].srv.EndSession(conn.SessionID())
	}
	c.down.Unlock()
	began := time.Now()
	_, _ = rpc.CallUnary[text, text](t.Context(), client, whoMethod, new(text)) // it may be lost with the session
	if got := who(t, client); !strings.HasSuffix(got, c.nodes[1].id.String()) || time.Since(began) > relayTimeout/2 {
		t.Errorf("served by %q after %v, want the node that has accepted the link", got, time.Since(began))
	}
}

func TestClientIsToldWhyItsSessionEndedThroughARelay(t *testing.T) {
	c := newRelayCluster(t, 2, 100)
	client := c.client(t, "ada")
	who(t, client)
	c.only.Store(c.nodes[1])
	c.cut()
	who(t, client)
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.nodes[1].entry.relays.open.Load() != 1 {
		t.Fatal("the link is not relayed")
	}
	for _, served := range c.nodes[0].srv.Conns() {
		_ = served.Close()
	}
	<-conn.Done()
	if err := conn.Err(); err == nil || !strings.Contains(err.Error(), "closed by the application") {
		t.Errorf("ended with %v", err)
	}
	c.nodes[1].entry.passing.close()
	if n := c.nodes[1].entry.relays.open.Load(); n != 0 {
		t.Errorf("%d relayed links are left", n)
	}
}

func TestServerLearnsThatTheClientOfARelayedLinkHasLeft(t *testing.T) {
	ended := make(chan error, 1)
	c := newRelayCluster(t, 2, 100, rpc.OnDisconnect(func(_ *rpc.Conn, err error) { ended <- err }))
	client := c.client(t, "ada")
	who(t, client)
	c.only.Store(c.nodes[1])
	c.cut()
	who(t, client)
	began := time.Now()
	_ = client.Close()
	if err := <-ended; time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestLinksOverTheLimitOfRelaysAreToldToTryLater(t *testing.T) {
	c := newRelayCluster(t, 2, 0)
	client := c.client(t, "ada")
	began := who(t, client)
	c.cut()
	// The link that goes to the other node is refused; the next one goes to the
	// node that has the session.
	if again := who(t, client); again != began {
		t.Errorf("served by %q, before by %q", again, began)
	}
}

func TestConnectionBetweenNodesThatBreaksLosesNoCall(t *testing.T) {
	c := newRelayCluster(t, 2, 100)
	client := c.client(t, "ada")
	began := who(t, client)
	c.cut()
	for range 5 {
		if again := who(t, client); again != began {
			t.Errorf("served by %q, before by %q", again, began)
		}
		c.nodes[0].nodes.cut()
	}
}

func TestASessionWhoseOwnerCannotBeReachedResumesElsewhere(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	bus := NewMemoryBus()
	owner := startNode(t, bus, "owner", func(c *Config) { c.Advertise = "ws://" + silent.Addr().String() })
	other := startNode(t, bus, "other", nil)
	b := newTestBalancer(owner)
	client := b.client(t, "ada")
	began := who(t, client)
	b.set(other)
	owner.clients.cut()
	eventually(t, func() bool { return other.relays.open.Load() == 1 }) // and does not tell that the session is lost
	b.set(owner)
	start := time.Now()
	if again := who(t, client); again != began || time.Since(start) > 2*relayTimeout {
		t.Errorf("served by %q after %v, before by %q", again, time.Since(start), began)
	}
}
