package ws_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts an HTTP server that upgrades with u and sends its connections on
// the channel. It also returns the ws URL.
func serve(t testing.TB, u *ws.Upgrader) (url string, accepted <-chan *ws.Conn) {
	t.Helper()
	conns := make(chan *ws.Conn, 64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r); err == nil {
			conns <- c
		}
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http"), conns
}

// connect makes a connection with the defaults and returns both ends.
func connect(t testing.TB) (client, server *ws.Conn) {
	t.Helper()
	url, accepted := serve(t, &ws.Upgrader{})
	return dial(t, url), accept(t, accepted)
}

func dial(t testing.TB, url string) *ws.Conn {
	t.Helper()
	c, err := new(ws.Dialer).Dial(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(transport.CloseAbnormal, "") })
	return c
}

func accept(t testing.TB, accepted <-chan *ws.Conn) *ws.Conn {
	t.Helper()
	c := <-accepted
	t.Cleanup(func() { _ = c.Close(transport.CloseAbnormal, "") })
	return c
}

func write(t testing.TB, c *ws.Conn, msg string) {
	t.Helper()
	if err := c.WriteMessage([][]byte{[]byte(msg)}); err != nil {
		t.Fatalf("WriteMessage: %v", err)
	}
}

func read(t testing.TB, c *ws.Conn) string {
	t.Helper()
	r, err := c.NextReader()
	if err != nil {
		t.Fatalf("NextReader: %v", err)
	}
	msg, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return string(msg)
}
