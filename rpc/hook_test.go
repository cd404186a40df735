package rpc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestAServerKeepsConnectionsAndPushesWheneverItLikes(t *testing.T) {
	var mu sync.Mutex
	conns := make(map[*rpc.Conn]bool)
	connected, left := make(chan struct{}, 3), make(chan struct{}, 3)
	url, _ := serve(t, rpc.OnConnect(func(c *rpc.Conn) {
		mu.Lock()
		defer mu.Unlock()
		conns[c] = true
		connected <- struct{}{}
	}), rpc.OnDisconnect(func(c *rpc.Conn, _ error) {
		mu.Lock()
		defer mu.Unlock()
		delete(conns, c)
		left <- struct{}{}
	}))
	got := make(chan string, 6)
	var clients []*rpc.Conn
	for _, name := range []string{"a", "b", "c"} {
		services := rpc.NewMux()
		register(services, unary, rpc.UnaryHandler(func(_ context.Context, msg *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			got <- name + msg.Value
			return msg, nil
		}))
		clients = append(clients, dial(t, url, rpc.WithServices(services)))
		<-connected
	}
	push := func(news string) (pushed []string) {
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			if _, err := converse(t.Context(), c, unary, []string{news}); err != nil {
				t.Error(err)
			}
			pushed = append(pushed, <-got)
		}
		slices.Sort(pushed)
		return pushed
	}
	if got := push("1"); !slices.Equal(got, []string{"a1", "b1", "c1"}) {
		t.Fatalf("got %q", got)
	}
	clients[1].Close()
	<-left
	if got := push("2"); !slices.Equal(got, []string{"a2", "c2"}) {
		t.Fatalf("got %q", got)
	}
}

func TestOnConnectMayMakeCalls(t *testing.T) {
	services := rpc.NewMux()
	register(services, unary, echo)
	answers := make(chan outcome, 2)
	hook := rpc.OnConnect(func(c *rpc.Conn) {
		texts, err := converse(context.Background(), c, unary, []string{"hello"})
		answers <- outcome{texts, err}
	})
	url, srv := serve(t, hook)
	register(srv, unary, echo)
	dial(t, url, hook, rpc.WithServices(services))
	for range 2 {
		if got := <-answers; got.err != nil || !slices.Equal(got.texts, []string{"hello"}) {
			t.Fatalf("%q, %v", got.texts, got.err)
		}
	}
}

func TestHooksAreCalledInOrder(t *testing.T) {
	var r record
	hooks := []rpc.ServerOption{
		rpc.OnConnect(func(*rpc.Conn) { r.add("connect 1") }), rpc.OnDisconnect(func(*rpc.Conn, error) { r.add("disconnect 1") }),
		rpc.OnConnect(func(*rpc.Conn) { r.add("connect 2") }), rpc.OnDisconnect(func(*rpc.Conn, error) { r.add("disconnect 2") }),
	}
	done := make(chan struct{})
	hooks = append(hooks, rpc.OnDisconnect(func(*rpc.Conn, error) { close(done) }))
	p := newPair(t, hooks, nil, nil)
	p.client.Close()
	<-done
	if got := r.take(); !slices.Equal(got, []string{"connect 1", "connect 2", "disconnect 1", "disconnect 2"}) {
		t.Fatalf("got %q", got)
	}
}

// TestOnDisconnectWaitsForOnConnect ends connections before the first hook has
// returned.
func TestOnDisconnectWaitsForOnConnect(t *testing.T) {
	var r record
	done := make(chan error, 1)
	for range 50 {
		var link *pipe.End
		srv := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) {
			link.Cut()
			<-c.Done()
			r.add("connected")
		}), rpc.OnDisconnect(func(c *rpc.Conn, err error) {
			r.add("disconnected")
			if !errors.Is(c.Err(), rpc.CodeOf(err)) {
				t.Errorf("the connection says %v, the hook %v", c.Err(), err)
			}
			done <- err
		}))
		var acceptor *pipe.End
		link, acceptor = pipe.New(pipe.Config{})
		if err := link.WriteMessage([][]byte{new(frame.Hello).Append(nil)}); err != nil {
			t.Fatal(err)
		}
		if _, err := srv.StartLink(acceptor); err != nil {
			t.Fatal(err)
		}
		wantError(t, <-done, rpc.CodeUnavailable)
		if got := r.take(); !slices.Equal(got, []string{"connected", "disconnected"}) {
			t.Fatalf("got %q", got)
		}
		if n := srv.Connections(); n != 0 {
			t.Fatalf("%d connections are kept", n)
		}
		srv.Close()
	}
}

func TestOnDisconnectGetsTheReason(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(p *pair)
		code rpc.Code
		link transport.CloseCode
	}{
		{"an ordinary close", func(p *pair) { p.client.Close() }, rpc.CodeCanceled, transport.CloseNormal},
		{"a lost link", func(p *pair) { p.acceptor.Cut() }, rpc.CodeUnavailable, transport.CloseAbnormal},
		{"its own close", func(p *pair) { p.serverConn.Close() }, rpc.CodeCanceled, transport.CloseNormal},
		{"a text message", func(p *pair) {
			p.acceptor.Fail(&transport.CloseError{Code: transport.CloseUnsupportedData})
		}, rpc.CodeInternal, transport.CloseUnsupportedData},
	} {
		t.Run(c.name, func(t *testing.T) {
			why := make(chan error, 1)
			p := newPair(t, []rpc.ServerOption{
				rpc.OnDisconnect(func(_ *rpc.Conn, err error) { why <- err }),
				rpc.WithoutResumption(),
			}, nil, nil)
			if _, err := p.clientConn.Ping(t.Context()); err != nil { // both ends have sent HELLO
				t.Fatal(err)
			}
			c.end(p)
			err := <-why
			wantError(t, err, c.code)
			var closed *transport.CloseError
			if !errors.As(err, &closed) || closed.Code != c.link {
				t.Errorf("the link ended with %v, want %d", closed, c.link)
			}
		})
	}
}

// TestHooksMayCloseWhatTheyAreAbout has hooks that close the connection, the
// client and the server.
func TestHooksMayCloseWhatTheyAreAbout(t *testing.T) {
	for name, hook := range map[string]func(*rpc.Conn, *rpc.Server, *rpc.Client){
		"the connection": func(c *rpc.Conn, _ *rpc.Server, _ *rpc.Client) { c.Close() },
		"the server":     func(_ *rpc.Conn, srv *rpc.Server, _ *rpc.Client) { srv.Close() },
		"the client":     func(_ *rpc.Conn, _ *rpc.Server, client *rpc.Client) { client.Close() },
	} {
		for _, at := range []string{"server", "client"} {
			t.Run(name+" at the "+at, func(t *testing.T) {
				var srv *rpc.Server
				var client *rpc.Client
				ended := make(chan struct{})
				connect := rpc.OnConnect(func(c *rpc.Conn) { hook(c, srv, client) })
				disconnect := rpc.OnDisconnect(func(c *rpc.Conn, _ error) {
					hook(c, srv, client)
					close(ended)
				})
				if at == "server" {
					srv, client = rpc.NewServer(connect, disconnect), rpc.NewClient("ws://in.memory")
				} else {
					srv, client = rpc.NewServer(), rpc.NewClient("ws://in.memory", connect, disconnect)
				}
				defer srv.Close()
				defer client.Close()
				dialer, acceptor := pipe.New(pipe.Config{})
				var both sync.WaitGroup
				both.Go(func() { _, _ = srv.StartLink(acceptor) })
				both.Go(func() { _, _ = client.StartLink(dialer) })
				both.Wait()
				<-ended
			})
		}
	}
}

func TestALinkThatComesTooLateIsClosedWithoutAHook(t *testing.T) {
	hooks := []rpc.Option{
		rpc.OnConnect(func(*rpc.Conn) { t.Error("OnConnect was called") }),
		rpc.OnDisconnect(func(*rpc.Conn, error) { t.Error("OnDisconnect was called") }),
	}
	srv, client := rpc.NewServer(hooks[0], hooks[1]), rpc.NewClient("ws://in.memory", hooks[0], hooks[1])
	srv.Close()
	client.Close()
	for code, late := range map[transport.CloseCode]func(transport.Link) (*rpc.Conn, error){
		transport.CloseGoingAway: srv.StartLink, // a client reconnects
		transport.CloseNormal:    client.StartLink,
	} {
		link, peer := pipe.New(pipe.Config{})
		if _, err := late(link); rpc.CodeOf(err) != rpc.CodeCanceled {
			t.Errorf("got %v", err)
		}
		var closed *transport.CloseError
		p := &raw{t: t, link: peer}
		if _, err := p.read(); !errors.As(err, &closed) || closed.Code != code {
			t.Errorf("the peer is told %v, want %d", err, code)
		}
	}
	if n := srv.Connections() + client.Connections(); n != 0 {
		t.Errorf("%d connections are kept", n)
	}
}

func TestPingMeasuresARoundTrip(t *testing.T) {
	p := newPair(t, nil, nil, nil)
	for _, c := range []*rpc.Conn{p.clientConn, p.serverConn} {
		if rtt, err := c.Ping(t.Context()); err != nil || rtt < 0 {
			t.Fatalf("%v, %v", rtt, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := rpc.NewClient("ws://in.memory")
	raw := callRaw(t, client)
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Ping(ctx)
	wantError(t, err, rpc.CodeCanceled)
	raw.write(frame.Append(nil, frame.Header{Type: frame.TypePong}, make([]byte, frame.PingLen))) // unsolicited
}

func TestPeerIsTheRemoteEnd(t *testing.T) {
	peers := make(chan *rpc.Peer, 2)
	url, srv := serve(t)
	register(srv, unary, func(ctx context.Context, s rpc.Stream) error {
		peers <- rpc.FromContext(ctx).Peer
		peers <- rpc.FromContext(ctx).Conn.Peer()
		return echo(ctx, s)
	})
	conn := dial(t, url, rpc.WithHTTPHeader(map[string][]string{"User-Agent": {"test/1"}}))
	if _, err := converse(t.Context(), conn, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p := <-peers
		if p.Host != strings.TrimPrefix(url, "ws://") || p.Host != conn.Peer().Host {
			t.Errorf("the server says that it was dialed as %q, the client as %q", p.Host, conn.Peer().Host)
		}
		if p.Protocol != "parley.v1" || p.Header.Get("User-Agent") != "test/1" || p.TLS != nil ||
			p.Addr.String() != conn.Peer().LocalAddr.String() || p.LocalAddr.String() != conn.Peer().Addr.String() {
			t.Errorf("the server sees %+v, the client %+v", p, conn.Peer())
		}
	}
	if conn.Peer().Header.Get("Sec-WebSocket-Accept") == "" {
		t.Errorf("the client does not see the server's answer: %v", conn.Peer().Header)
	}
}

func TestTheCallOfAContextIsOnlyInHandlers(t *testing.T) {
	if _, ok := rpc.CallFromContext(t.Context()); ok {
		t.Error("a call outside of a handler")
	}
	defer func() {
		if recover() == nil {
			t.Error("FromContext did not panic")
		}
	}()
	rpc.FromContext(t.Context())
}
