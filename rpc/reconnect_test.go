package rpc_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// front is a balancer on a real socket. It passes each handshake to the current
// server.
type front struct {
	to   atomic.Pointer[rpc.Server]
	came atomic.Int32 // handshakes
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.came.Add(1)
	f.to.Load().ServeHTTP(w, r)
}

// serveFront serves a, and returns a function that cuts all links. Both servers
// are closed when the test ends.
func serveFront(t *testing.T, a, b *rpc.Server) (f *front, url string, cut func()) {
	t.Helper()
	f = new(front)
	f.to.Store(a)
	url, w := serveWires(t, f)
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return f, url, w.cut
}

func TestAServerBehindABalancerLeavesWithoutAFailedCall(t *testing.T) {
	for name, end := range map[string]func(*rpc.Server) error{
		"Shutdown": func(s *rpc.Server) error { return s.Shutdown(context.Background()) },
		"Close":    (*rpc.Server).Close,
	} {
		for _, m := range kinds {
			t.Run(name+" "+m.Service, func(t *testing.T) {
				a, b := echoServer(), echoServer()
				f, url, _ := serveFront(t, a, b)
				c := rpc.NewClient(url)
				defer c.Close()
				if _, err := converse(t.Context(), c, m, []string{"before"}); err != nil {
					t.Fatal(err)
				}
				f.to.Store(b)
				ended := make(chan error, 1)
				go func() { ended <- end(a) }()
				failed := 0
				for over := 0; over < 20; {
					if _, err := converse(t.Context(), c, m, []string{"during"}); err != nil {
						failed++
						t.Log(err)
					}
					if len(ended) > 0 {
						over++
					}
				}
				// Close ends the call in flight.
				if most := map[string]int{"Close": 1}[name]; failed > most {
					t.Errorf("%d calls failed", failed)
				}
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAnUnknownSessionCostsOneHandshake(t *testing.T) {
	a, b := echoServer(), echoServer()
	f, url, cut := serveFront(t, a, b)
	c := rpc.NewClient(url)
	defer c.Close()
	conn, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.to.Store(b)
	cut()
	<-conn.Done()
	if _, err := converse(t.Context(), c, unary, []string{"on"}); err != nil {
		t.Error(err)
	}
	if n := f.came.Load(); n != 2 {
		t.Errorf("%d handshakes", n)
	}
}

func TestDeviceThatReconnectedElsewhereIsUnavailableAtOnce(t *testing.T) {
	ghosts := make(chan *rpc.Conn, 1)
	a, b := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) { ghosts <- c })), echoServer()
	f, url, cut := serveFront(t, a, b)
	services := rpc.NewMux()
	registerAll(services, echo)
	c := rpc.NewClient(url, rpc.WithServices(services))
	defer c.Close()
	if _, err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	ghost := <-ghosts
	if _, err := converse(t.Context(), ghost, unary, []string{"here"}); err != nil {
		t.Fatal(err)
	}
	f.to.Store(b)
	cut()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // less than the window
	defer cancel()
	_, err := converse(ctx, ghost, unary, []string{"gone"})
	if !errors.Is(err, rpc.CodeUnavailable) {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
