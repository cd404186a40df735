package proxy_test

import (
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

// cutter is a listener that can cut the connections it has accepted.
type cutter struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestACallToABackendSurvivesItsLink loses the link between caller and proxy
// twice. The backend sees one call, with each message once and in order.
func TestACallToABackendSurvivesItsLink(t *testing.T) {
	address, _ := listen(t, &backend{duplex: echo})
	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
	if err != nil {
		t.Fatal(err)
	}
	away := make(chan struct{}, 10)
	srv := rpc.NewServer()
	srv.HandleUnknown(p.Handle)
	web := httptest.NewUnstartedServer(srv)
	links := &cutter{Listener: web.Listener}
	web.Listener = links
	web.Start()
	client := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), rpc.OnDetached(func(*rpc.Conn) { away <- struct{}{} }))
	t.Cleanup(func() {
		client.Close()
		srv.Close()
		web.Close()
	})
	s := open(t, client, duplex)
	for i, body := range []string{"a", "b", "c"} {
		if i > 0 {
			links.cut()
			<-away
		}
		send(t, s, body)
		if got := receive(t, s); got != body {
			t.Fatalf("got %q, want %q", got, body)
		}
	}
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, s)
}
