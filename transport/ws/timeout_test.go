package ws_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// memoryListener accepts in-memory connections, for a synctest bubble. They
// have no buffer, so a write waits for a read.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.close()
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// connect makes a connection to the listener.
func (l *memoryListener) connect(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// serveInMemory is like serve, in a bubble and with an HTTP server that has
// limits.
func serveInMemory(t *testing.T, web *http.Server, u *ws.Upgrader) (l *memoryListener, accepted <-chan *ws.Conn) {
	t.Helper()
	l = &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	conns := make(chan *ws.Conn, 4)
	web.ErrorLog = discardLog()
	web.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r); err == nil {
			conns <- c
		}
	})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(l) // ends with Close
	}()
	t.Cleanup(func() {
		_ = web.Close()
		<-served
	})
	return l, conns
}

// bystander is an earlier connection that must not be affected.
type bystander struct{ client, server *ws.Conn }

func (l *memoryListener) bystander(t *testing.T, accepted <-chan *ws.Conn) *bystander {
	t.Helper()
	client, err := (&ws.Dialer{NetDial: l.connect}).Dial(t.Context(), "ws://parley.test/rpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(transport.CloseAbnormal, "") })
	return &bystander{client, accept(t, accepted)}
}

// wantsLife checks that the connection works in both directions.
func (b *bystander) wantsLife(t *testing.T) {
	t.Helper()
	for _, ends := range [][2]*ws.Conn{{b.client, b.server}, {b.server, b.client}} {
		done := make(chan error, 1)
		go func() { done <- ends[0].WriteMessage([][]byte{[]byte("on")}) }()
		if got := read(t, ends[1]); got != "on" {
			t.Errorf("the other connection: got %q", got)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestClientThatDoesNotFinishItsRequestIsCutAndNoOtherNotices(t *testing.T) {
	for name, part := range map[string]string{
		"nothing":         "",
		"half a line":     "GET /r",
		"half the header": handshakeRequest()[:100],
		"all but the end": strings.TrimSuffix(handshakeRequest(), "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, accepted := serveInMemory(t, &http.Server{ReadHeaderTimeout: 2 * time.Second}, &ws.Upgrader{})
				other := l.bystander(t, accepted)
				began := time.Now()
				conn, err := l.connect(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, part); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took != 2*time.Second {
					t.Errorf("cut after %v", took)
				}
				other.wantsLife(t)
			})
		})
	}
}

func TestRequestWithHeadersOverTheLimitIsRefusedAndNoOtherNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, accepted := serveInMemory(t, &http.Server{MaxHeaderBytes: 8 << 10}, &ws.Upgrader{})
		other := l.bystander(t, accepted)
		const slack = 4 << 10 // net/http allows this beyond its limit
		for size, status := range map[int]int{7 << 10: http.StatusSwitchingProtocols, 8<<10 + slack + 1: http.StatusRequestHeaderFieldsTooLarge} {
			conn, err := l.connect(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			request := handshakeRequest("X-Filling: ")
			request = strings.Replace(request, "X-Filling: ", "X-Filling: "+strings.Repeat("x", size-len(request)), 1)
			go func() { _, _ = io.WriteString(conn, request) }() // the server need not read all of it
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != status {
				t.Errorf("%d bytes: %v, %v; want %d", size, resp, err, status)
			}
			if status == http.StatusSwitchingProtocols {
				accept(t, accepted)
			}
		}
		other.wantsLife(t)
		<-time.After(time.Second) // net/http waits a little before it closes a connection that it refused
	})
}

func TestClientThatDoesNotTakeTheAnswerIsCutAndNoOtherNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, accepted := serveInMemory(t, &http.Server{}, &ws.Upgrader{HandshakeTimeout: 3 * time.Second})
		other := l.bystander(t, accepted)
		conn, err := l.connect(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		began := time.Now()
		if _, err := io.WriteString(conn, handshakeRequest()); err != nil {
			t.Fatal(err)
		}
		<-time.After(3*time.Second - 1)
		synctest.Wait()
		if err := conn.SetWriteDeadline(time.Now()); err != nil { // of a connection that is there
			t.Errorf("cut after %v", time.Since(began))
		}
		<-time.After(1)
		synctest.Wait()
		if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after its time there were %d bytes, %v", n, err)
		}
		if len(accepted) != 0 {
			t.Error("the connection was accepted")
		}
		other.wantsLife(t)
	})
}

// neverAnswers is the connection to a server that reads and sends nothing.
func neverAnswers(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, server) }()
		t.Cleanup(func() { _ = server.Close() })
		return client, nil
	}
}

func TestHandshakeTimeoutBoundsTheDial(t *testing.T) {
	stages := map[ws.Stage]struct {
		url     string
		netDial func(t *testing.T) func(context.Context, string, string) (net.Conn, error)
	}{
		ws.StageConnect: {"ws://parley.test", func(*testing.T) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}},
		ws.StageTLS:     {"wss://parley.test", neverAnswers},
		ws.StageUpgrade: {"ws://parley.test", neverAnswers},
	}
	for stage, c := range stages {
		for timeout, want := range map[time.Duration]time.Duration{0: 10 * time.Second, 50 * time.Millisecond: 50 * time.Millisecond} {
			t.Run(string(stage)+" "+want.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					err := dialError(t, &ws.Dialer{HandshakeTimeout: timeout, NetDial: c.netDial(t)}, c.url)
					if took := time.Since(began); took != want {
						t.Errorf("it took %v, want %v", took, want)
					}
					wantText(t, err, "no connection within "+want.String())
					if err.Stage != stage || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("stage %q: %v", err.Stage, err)
					}
				})
			})
		}
	}
}

// The network may check the clock before the context of the dial does.
func TestDialWithAnExpiredContextFailsAtOnce(t *testing.T) {
	url := silent(t)
	for range 200 {
		err := dialError(t, &ws.Dialer{HandshakeTimeout: time.Microsecond}, url)
		if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		wantText(t, err, "no connection within 1µs")
	}
}
