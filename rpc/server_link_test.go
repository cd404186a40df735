package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// inProcess connects clients to a server by pipes, with WithLinks and
// ServeLink.
type inProcess struct {
	srv  *rpc.Server
	ctx  func() context.Context // of the next link; nil: context.Background
	ends chan *pipe.End         // the client's ends, in order
}

func newInProcess(t *testing.T, opts ...rpc.ServerOption) *inProcess {
	t.Helper()
	p := &inProcess{srv: rpc.NewServer(opts...), ends: make(chan *pipe.End, 100)}
	pingv1parley.RegisterPingServiceServer(p.srv, pinger{})
	register(p.srv, unary, whoami())
	t.Cleanup(func() { _ = p.srv.Close() })
	return p
}

func (p *inProcess) link(ctx context.Context, server string) (transport.Link, rpc.Peer, error) {
	dialer, acceptor := pipe.New(pipe.Config{})
	base := context.Background()
	if p.ctx != nil {
		base = p.ctx()
	}
	peer := rpc.Peer{Host: server, RequestURI: "/in?process", Protocol: "pipe", Addr: &net.UnixAddr{Name: "@client"}}
	if err := p.srv.ServeLink(base, acceptor, peer); err != nil {
		return nil, rpc.Peer{}, err
	}
	p.ends <- dialer
	return dialer, rpc.Peer{Host: server, Protocol: "pipe"}, ctx.Err()
}

func (p *inProcess) client(t *testing.T, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	client := rpc.NewClient("the server", append(opts, rpc.WithLinks(p.link))...)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestClientAndServerUseLinksThatAreNoWebSockets(t *testing.T) {
	p := newInProcess(t)
	p.ctx = func() context.Context { return rpc.WithPrincipal(context.Background(), "ada") }
	resumed := make(chan struct{}, 1)
	client := p.client(t, resumptions(resumed))
	got, err := rpc.CallUnary[value, value](t.Context(), client, unary, text(""))
	if err != nil || got.Value != " ada" {
		t.Fatalf("the handler was called by %q, %v", got.GetValue(), err)
	}
	conns := p.srv.Conns()
	if len(conns) != 1 {
		t.Fatalf("%d connections", len(conns))
	}
	peer := conns[0].Peer()
	if peer.Host != "the server" || peer.RequestURI != "/in?process" || peer.Protocol != "pipe" || conns[0].Principal() != "ada" {
		t.Errorf("the peer is %+v of %q", peer, conns[0].Principal())
	}
	(<-p.ends).Cut()
	if err := ping(t.Context(), client); err != nil {
		t.Errorf("after a lost link: %v", err)
	}
	<-resumed
	if again := p.srv.Conns(); !slices.Equal(again, conns) {
		t.Errorf("the connections are %v, before %v", again, conns)
	}
}

func TestLinkOfAnotherPrincipalDoesNotResume(t *testing.T) {
	p := newInProcess(t)
	name := atomic.Pointer[string]{}
	name.Store(new(string))
	*name.Load() = "ada"
	p.ctx = func() context.Context { return rpc.WithPrincipal(context.Background(), *name.Load()) }
	client := p.client(t)
	if err := ping(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	other := "bob"
	name.Store(&other)
	(<-p.ends).Cut()
	conn := p.srv.Conns()[0]
	_ = ping(t.Context(), client) // it may have begun on the connection that is lost
	got, err := rpc.CallUnary[value, value](t.Context(), client, unary, text(""))
	if err != nil || got.Value != " bob" {
		t.Errorf("the handler was called by %q, %v", got.GetValue(), err)
	}
	if slices.Contains(p.srv.Conns(), conn) && !conn.Detached() {
		t.Error("another principal has resumed the connection")
	}
}

// The server takes one link at a time: Upgrade counts it, and ServeLink does not
// count it again.
func TestUpgradedLinkIsServedAfterItsHelloWasPeeked(t *testing.T) {
	srv := rpc.NewServer(rpc.WithAuthentication(byToken), rpc.WithLimits(rpc.Limits{MaxConnections: 1}),
		rpc.WithSessionIDs(sessionIDs()))
	register(srv, unary, whoami())
	defer srv.Close()
	peeked := make(chan transport.PeekedHello, 10)
	url, w := serveWires(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		link, err := srv.Upgrade(rw, r)
		if err != nil {
			return
		}
		hello, whole := transport.PeekHello(t.Context(), link)
		peeked <- hello
		if err := srv.ServeLink(link.Context(), whole, *link.Peer()); err != nil {
			t.Error(err)
		}
	}))
	resumed := make(chan struct{}, 1)
	client := rpc.NewClient(url+"/rpc?room=42", authorization("ada-token"), resumptions(resumed))
	defer client.Close()
	call := func() {
		t.Helper()
		got, err := rpc.CallUnary[value, value](t.Context(), client, unary, text(""))
		if err != nil || got.Value != "ADA ada" {
			t.Fatalf("the handler was called by %q, %v", got.GetValue(), err)
		}
	}
	call()
	if hello := <-peeked; hello.Session != nil {
		t.Errorf("a new connection asks for %x", hello.Session)
	}
	conn := srv.Conns()[0]
	if uri := conn.Peer().RequestURI; uri != "/rpc?room=42" {
		t.Errorf("the client requested %q", uri)
	}
	w.cut()
	call()
	<-resumed
	if hello := <-peeked; !bytes.Equal(hello.Session, conn.SessionID()) || len(hello.Session) != 24 {
		t.Errorf("the link asks for %x, not %x", hello.Session, conn.SessionID())
	}
}

// sessionIDs returns a function that makes ids of 24 bytes.
func sessionIDs() func() []byte {
	var n atomic.Int64
	return func() []byte { return fmt.Appendf(nil, "eu-1/%019d", n.Add(1)) }
}

func TestClosedAcceptedLinkDoesNotCount(t *testing.T) {
	srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxConnections: 1}))
	pingv1parley.RegisterPingServiceServer(srv, pinger{})
	defer srv.Close()
	var links atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		link, err := srv.Upgrade(w, r)
		if err != nil {
			return // the link before is still closing
		}
		if links.Add(1) <= 3 {
			_ = link.Close(transport.CloseTryAgainLater, "not here")
			return
		}
		if err := srv.ServeLink(link.Context(), link, *link.Peer()); err != nil {
			t.Error(err)
		}
	}))
	defer web.Close()
	client := rpc.NewClient("ws" + strings.TrimPrefix(web.URL, "http"))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for ping(ctx, client) != nil && ctx.Err() == nil { //nolint:revive // until the fourth link
	}
	if ctx.Err() != nil || links.Load() < 4 {
		t.Errorf("no call after %d links", links.Load())
	}
}

func TestLinkThatIsNotServedIsClosedWithTheReason(t *testing.T) {
	expired := rpc.WithExpiry(context.Background(), time.Now().Add(-time.Second))
	for name, c := range map[string]struct {
		ctx    context.Context
		limits rpc.Limits
		before func(*inProcess)
		code   rpc.Code
		close  transport.CloseCode
	}{
		"too many links": {
			limits: rpc.Limits{MaxConnections: 1}, code: rpc.CodeUnavailable, close: transport.CloseRefusal + 14,
			before: func(p *inProcess) { _, _, _ = p.link(context.Background(), "first") },
		},
		"expired credentials": {ctx: expired, code: rpc.CodeUnauthenticated, close: transport.CloseRefusal + 16},
		"closed server":       {code: rpc.CodeCanceled, close: transport.CloseGoingAway, before: func(p *inProcess) { _ = p.srv.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			p := newInProcess(t, rpc.WithLimits(c.limits))
			if c.before != nil {
				c.before(p)
			}
			ctx := c.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			dialer, acceptor := pipe.New(pipe.Config{})
			err := p.srv.ServeLink(ctx, acceptor, rpc.Peer{})
			wantCode(t, err, c.code)
			var closed *transport.CloseError
			for err = error(nil); err == nil; {
				_, err = dialer.NextReader()
			}
			if !errors.As(err, &closed) || closed.Code != c.close {
				t.Errorf("the link ended with %v, want code %d", err, c.close)
			}
		})
	}
}

func TestConnsListsConnectionsUntilTheyEnd(t *testing.T) {
	p := newInProcess(t, rpc.WithSessionIDs(sessionIDs()))
	var clients []*rpc.Client
	for range 3 {
		client := p.client(t)
		if err := ping(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
	}
	conns := p.srv.Conns()
	if len(conns) != 3 || !slices.IsSortedFunc(conns, func(a, b *rpc.Conn) int { return int(a.ID()) - int(b.ID()) }) {
		t.Fatalf("the connections are %v", conns)
	}
	own, err := clients[0].Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(own.SessionID(), conns[0].SessionID()) || own.Principal() != "" {
		t.Errorf("the client's session is %x of %q, the server's %x", own.SessionID(), own.Principal(), conns[0].SessionID())
	}
	if !p.srv.EndSession(conns[0].SessionID()) || p.srv.EndSession(conns[0].SessionID()) {
		t.Error("EndSession must find a session once")
	}
	<-conns[0].Done()
	if left := p.srv.Conns(); !slices.Equal(left, conns[1:]) {
		t.Errorf("the connections are %v, want %v", left, conns[1:])
	}
}

func TestDetachedConnectionEndsByItsSession(t *testing.T) {
	detached := make(chan *rpc.Conn, 1)
	p := newInProcess(t, rpc.OnDetached(func(c *rpc.Conn) { detached <- c }))
	refuse := make(chan struct{})
	client := rpc.NewClient("the server", rpc.WithLinks(func(ctx context.Context, server string) (transport.Link, rpc.Peer, error) {
		select {
		case <-refuse:
			return nil, rpc.Peer{}, errors.New("the network is down")
		default:
			return p.link(ctx, server)
		}
	}))
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := pingv1parley.NewPingServiceClient(client).CumSum(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pingv1.CumSumRequest{Number: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	close(refuse)
	(<-p.ends).Cut()
	c := <-detached
	if !c.Detached() || !p.srv.EndSession(c.SessionID()) {
		t.Error("the detached connection is not known")
	}
	<-c.Done()
	if len(p.srv.Conns()) != 0 {
		t.Error("the connection is listed after its end")
	}
}

func TestWithLinksExcludesOptionsOfWebSockets(t *testing.T) {
	link := rpc.WithLinks(func(context.Context, string) (transport.Link, rpc.Peer, error) { return nil, rpc.Peer{}, nil })
	client := rpc.NewClient("x", link, rpc.WithHTTPHeader(http.Header{"A": {"b"}}), rpc.WithProxy(http.ProxyFromEnvironment))
	defer client.Close()
	err := ping(t.Context(), client)
	wantCode(t, err, rpc.CodeInvalidArgument)
	if !strings.Contains(err.Error(), "WithHTTPHeader, WithProxy") {
		t.Errorf("the error does not name the options: %v", err)
	}

	neither := rpc.NewClient("x", link)
	defer neither.Close()
	wantCode(t, ping(t.Context(), neither), rpc.CodeInternal)

	without := rpc.NewClient("x", rpc.WithLinks(nil))
	defer without.Close()
	wantCode(t, ping(t.Context(), without), rpc.CodeInvalidArgument)
}
