package rpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// network is servers in memory, by URL, to which clients in a synctest bubble
// connect. A URL without a server refuses connections.
type network struct {
	t *testing.T

	takes time.Duration // to connect

	mu      sync.Mutex
	servers map[string]func(dialed) (transport.Link, error)
	dials   []dialed
	links   []*pipe.End // the dialers' ends
}

// dialed is an attempt to connect.
type dialed struct {
	url    string
	header http.Header
	at     time.Time
}

// home is the URL of most servers.
const home = "wss://home.example/rpc"

func newNetwork(t *testing.T) *network {
	return &network{t: t, servers: make(map[string]func(dialed) (transport.Link, error))}
}

// client returns a client of the network, which is closed when the test ends.
func (n *network) client(url string, opts ...rpc.ClientOption) *rpc.Client {
	c := rpc.NewClient(url, opts...)
	c.DialWith(func(ctx context.Context, url string, header http.Header) (transport.Link, error) {
		d := dialed{url, header, time.Now()}
		n.mu.Lock()
		n.dials = append(n.dials, d)
		server := n.servers[url]
		n.mu.Unlock()
		select {
		case <-time.After(n.takes):
		case <-ctx.Done(): // the client is closed
			return nil, ctx.Err()
		}
		if server == nil {
			return nil, rpc.Errorf(rpc.CodeUnavailable, "connection refused")
		}
		return server(d)
	})
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// answer sets what a dial of url returns; nil: there is no server.
func (n *network) answer(url string, f func(dialed) (transport.Link, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[url] = f
}

// refuse makes the server at url refuse clients.
func (n *network) refuse(url string, code rpc.Code) {
	n.answer(url, func(dialed) (transport.Link, error) { return nil, rpc.Errorf(code, "go away") })
}

// link makes a link and returns its acceptor's end.
func (n *network) link() (dialer, acceptor *pipe.End) {
	dialer, acceptor = pipe.New(pipe.Config{})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, dialer)
	return dialer, acceptor
}

// serve puts a server at url, which is closed when the test ends.
func (n *network) serve(url string, srv *rpc.Server) {
	n.t.Cleanup(func() { _ = srv.Close() })
	n.answer(url, func(dialed) (transport.Link, error) {
		d, a := n.link()
		if _, err := srv.StartLink(a); err != nil {
			return nil, rpc.Errorf(rpc.CodeUnavailable, "closed: %w", err)
		}
		return d, nil
	})
}

// serveRaw puts a server at home for which the test writes frames. It sends
// each link on the channel, after the server's HELLO.
func (n *network) serveRaw() <-chan *raw {
	links := make(chan *raw, 100)
	n.answer(home, func(dialed) (transport.Link, error) {
		d, a := n.link()
		p := &raw{t: n.t, link: a, answers: true}
		p.hello()
		links <- p
		return d, nil
	})
	return links
}

// serveSessions puts a server at home that has sessions and no calls. It sends
// each session on the channel.
func (n *network) serveSessions() <-chan *transport.Session {
	sessions := make(chan *transport.Session, 100)
	n.answer(home, func(dialed) (transport.Link, error) {
		d, a := n.link()
		s, err := transport.NewSession(a, transport.Acceptor, transport.Config{})
		if err != nil {
			return nil, err
		}
		n.t.Cleanup(func() { _ = s.Close(transport.CloseNormal, "") })
		sessions <- s
		return d, nil
	})
	return sessions
}

// cut breaks all links.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.Cut()
	}
	n.links = nil
}

// attempts returns the dials since the last time.
func (n *network) attempts() []dialed {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.dials
	n.dials = nil
	return d
}

// wantAttempts expects n dials since the last time. It does not wait.
func (n *network) wantAttempts(want int) []dialed {
	n.t.Helper()
	got := n.attempts()
	if len(got) != want {
		n.t.Fatalf("dialed %d times, want %d", len(got), want)
	}
	return got
}

// echoServer is a server that echoes calls of all kinds.
func echoServer() *rpc.Server {
	srv := rpc.NewServer()
	registerAll(srv, echo)
	return srv
}

// pass lets time pass in a bubble, and waits until everything that is due has
// happened.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// recvOne receives a text.
func recvOne(s rpc.Stream) (string, error) {
	msg := new(wrapperspb.StringValue)
	err := s.Recv(msg)
	return msg.Value, err
}

// serveHTTP serves srv on a real socket; f sees each handshake.
func serveHTTP(t *testing.T, srv *rpc.Server, f func(*http.Request)) (url string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f(r)
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}
