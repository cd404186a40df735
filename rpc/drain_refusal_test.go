package rpc_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// A proxy asks another server only if this one refuses before the upgrade.
func TestDrainingServerLetsInOnlyWhatMayResume(t *testing.T) {
	finish, told, away := make(chan struct{}), make(chan error, 2), make(chan struct{})
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}), rpc.OnDetached(func(*rpc.Conn) { close(away) }))
	arrived := make(chan struct{})
	register(srv, unary, arrivingHandler(arrived, finish, told))
	web := httptest.NewServer(srv)
	defer web.Close()
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	open := make(chan struct{})
	var first atomic.Pointer[net.TCPConn]
	client := rpc.NewClient(url, rpc.WithNetDial(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if first.Load() != nil {
			select {
			case <-open:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if tcp, ok := conn.(*net.TCPConn); ok {
			first.CompareAndSwap(nil, tcp)
		}
		return conn, err
	}))
	defer client.Close()
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	call := start(func() ([]string, error) { return converse(context.Background(), conn, unary, []string{"question"}) })
	<-arrived
	if _, err := conn.Ping(t.Context()); err != nil { // now the session can be resumed
		t.Fatal(err)
	}
	_ = first.Load().Close()
	<-away
	done := shutdown(srv, time.Minute)
	<-told

	beginning := ws.Dialer{NewSession: true}
	var refused *ws.HandshakeError
	if _, err := beginning.Dial(t.Context(), url); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("what begins a session: %v, want HTTP 503", err)
	}
	resp, err := http.Get(web.URL) // as a page does to find out the status
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a plain GET: %s, want HTTP 503", resp.Status)
	}
	link, err := new(ws.Dialer).Dial(t.Context(), url)
	if err != nil {
		t.Fatalf("what may resume: %v", err)
	}
	_ = link.Close(transport.CloseNormal, "")
	close(open)
	close(finish)
	if got := <-call; got.err != nil {
		t.Errorf("the call on the connection without a link: %v", got.err)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
