package rpc_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// counted is an http.Handler that counts its requests.
type counted struct {
	http.Handler
	n atomic.Int32
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.n.Add(1)
	c.Handler.ServeHTTP(w, r)
}

// listen serves h on a real socket and returns its URL for a WebSocket.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	web := httptest.NewServer(h)
	t.Cleanup(web.Close)
	return "ws" + strings.TrimPrefix(web.URL, "http")
}

// newPinger returns a server of PingService, closed when the test ends.
func newPinger(t *testing.T, opts ...rpc.ServerOption) *rpc.Server {
	t.Helper()
	srv := rpc.NewServer(opts...)
	pingv1parley.RegisterPingServiceServer(srv, pinger{})
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

// unused is a URL without a listener: no system assigns this port.
const unused = "ws://127.0.0.1:1"

func ping(ctx context.Context, c rpc.Caller) error {
	_, err := pingv1parley.NewPingServiceClient(c).Ping(ctx, &pingv1.PingRequest{Text: "x"})
	return err
}

func TestAClientConnectsWhenACallNeedsIt(t *testing.T) {
	count := &counted{Handler: newPinger(t)}
	client := rpc.NewClient(listen(t, count))
	defer client.Close()
	if n := count.n.Load(); n != 0 {
		t.Fatalf("%d connections before the first call", n)
	}
	for range 3 {
		if err := ping(t.Context(), client); err != nil {
			t.Fatal(err)
		}
	}
	if n := count.n.Load(); n != 1 {
		t.Fatalf("%d connections for three calls", n)
	}
}

func TestCallsThatComeTogetherShareOneConnection(t *testing.T) {
	count := &counted{Handler: newPinger(t)}
	client := rpc.NewClient(listen(t, count))
	defer client.Close()
	var calls errgroup.Group
	for range 100 {
		calls.Go(func() error { return ping(t.Context(), client) })
	}
	if err := calls.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := count.n.Load(); n != 1 {
		t.Fatalf("%d connections for 100 calls at once", n)
	}
}

func TestClientReconnectsWhenItsConnectionIsLost(t *testing.T) {
	conns := make(chan *rpc.Conn, 1)
	count := &counted{Handler: newPinger(t, rpc.OnConnect(func(c *rpc.Conn) { conns <- c }))}
	client := rpc.NewClient(listen(t, count))
	defer client.Close()
	for want := int32(1); want <= 3; want++ {
		for range 2 { // the second names the method by an alias of this connection
			if err := ping(t.Context(), client); err != nil {
				t.Fatal(err)
			}
		}
		if n := count.n.Load(); n != want {
			t.Fatalf("%d connections, want %d", n, want)
		}
		conn, err := client.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		(<-conns).Close()
		<-conn.Done()
	}
}

func TestAClientReconnectsAfterAServerRestart(t *testing.T) {
	var current atomic.Pointer[rpc.Server]
	current.Store(newPinger(t))
	client := rpc.NewClient(listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) })))
	defer client.Close()
	if err := ping(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	current.Load().Close()
	<-conn.Done()
	wantError(t, ping(t.Context(), client), rpc.CodeUnavailable) // 503
	current.Store(newPinger(t))
	// A call that fails fast would fail until the next attempt.
	if _, err := pingv1parley.NewPingServiceClient(client).Ping(t.Context(), &pingv1.PingRequest{}, rpc.WithWaitForReady()); err != nil {
		t.Fatal(err)
	}
	wantError(t, ping(t.Context(), conn), rpc.CodeUnavailable) // the old one stays failed
}

func TestAClientLeavesAConnectionThatDrains(t *testing.T) {
	conns := make(chan *rpc.Conn, 2)
	srv := newPinger(t, rpc.OnConnect(func(c *rpc.Conn) { conns <- c }))
	register(srv, bidi, echo)
	client := rpc.NewClient(listen(t, srv))
	defer client.Close()
	check := steady(t, client, bidi)
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := (<-conns).Drain(); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; { // until the client has noticed
		err = ping(t.Context(), conn)
	}
	wantError(t, err, rpc.CodeUnavailable)
	if err := ping(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if again, err := client.Connect(t.Context()); err != nil || again == conn {
		t.Fatalf("the client keeps to its old connection: %v", err)
	}
	check() // calls on the old one go on
}

func TestDialedConnectionDoesNotReconnect(t *testing.T) {
	count := &counted{Handler: newPinger(t)}
	url := listen(t, count)
	conn := dial(t, url)
	if err := ping(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-conn.Done()
	for range 2 {
		wantError(t, ping(t.Context(), conn), rpc.CodeCanceled)
	}
	if n := count.n.Load(); n != 1 {
		t.Fatalf("%d connections", n)
	}
}

// TestACallersContextEndsItsOwnWaitForTheConnection checks that another caller
// goes on waiting.
func TestACallersContextEndsItsOwnWaitForTheConnection(t *testing.T) {
	srv := newPinger(t)
	arrived, goOn := make(chan struct{}, 1), make(chan struct{})
	client := rpc.NewClient(listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-goOn
		srv.ServeHTTP(w, r)
	})))
	defer client.Close()
	patient := start(func() ([]string, error) { return nil, ping(t.Context(), client) })
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	hasty := start(func() ([]string, error) { return nil, ping(ctx, client) })
	cancel()
	got := <-hasty
	wantError(t, got.err, rpc.CodeCanceled)
	expired, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	wantError(t, ping(expired, client), rpc.CodeDeadlineExceeded)
	close(goOn)
	if got := <-patient; got.err != nil {
		t.Fatal(got.err)
	}
}

func TestCloseEndsADialAndRefusesCalls(t *testing.T) {
	arrived, goOn := make(chan struct{}, 1), make(chan struct{})
	client := rpc.NewClient(listen(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-goOn
	})))
	defer close(goOn)
	call := start(func() ([]string, error) { return nil, ping(t.Context(), client) })
	<-arrived
	client.Close()
	got := <-call
	wantError(t, got.err, rpc.CodeCanceled)
	wantError(t, ping(t.Context(), client), rpc.CodeCanceled)
	if _, err := client.Connect(t.Context()); rpc.CodeOf(err) != rpc.CodeCanceled {
		t.Fatalf("Connect: %v", err)
	}
	if err := client.Close(); err != nil { // again
		t.Fatal(err)
	}
}

func TestCloseBeforeTheFirstCallIsEnough(t *testing.T) {
	client := rpc.NewClient(unused)
	client.Close()
	wantError(t, ping(t.Context(), client), rpc.CodeCanceled)
}

func TestAnEndedContextOfDialEndsTheDialAlone(t *testing.T) {
	srv := newPinger(t)
	arrived, goOn := make(chan struct{}, 1), make(chan struct{})
	url := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-goOn
		srv.ServeHTTP(w, r)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := rpc.Dial(ctx, url)
		failed <- err
	}()
	<-arrived
	cancel()
	wantError(t, <-failed, rpc.CodeCanceled)
	close(goOn)

	ctx, cancel = context.WithCancel(t.Context())
	conn, err := rpc.Dial(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel() // has no part in the connection
	if err := ping(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
}

// TestWhyThereIsNoConnection tests the table of section 3.5, and the errors
// before there is a response.
func TestWhyThereIsNoConnection(t *testing.T) {
	answer := func(status int, header ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			return listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i < len(header); i += 2 {
					w.Header().Set(header[i], header[i+1])
				}
				w.WriteHeader(status)
			}))
		}
	}
	fixed := func(url string) func(*testing.T) string { return func(*testing.T) string { return url } }
	for _, c := range []struct {
		name string
		url  func(*testing.T) string
		code rpc.Code
		says string
	}{
		{"a version mismatch", answer(400, "Parley-Versions", "parley.v7, parley.v8"), rpc.CodeUnimplemented, "parley.v7, parley.v8"},
		{"and what this end speaks", answer(400, "Parley-Versions", "parley.v7"), rpc.CodeUnimplemented, "parley.v1"},
		{"400", answer(400), rpc.CodeInternal, "400"},
		{"401", answer(401), rpc.CodeUnauthenticated, "credentials"},
		{"402", answer(402), rpc.CodeUnknown, "402"},
		{"403", answer(403), rpc.CodePermissionDenied, "origin"},
		{"404", answer(404), rpc.CodeUnimplemented, "not a WebSocket endpoint"},
		{"405", answer(405), rpc.CodeUnimplemented, "405"},
		{"408", answer(408), rpc.CodeUnavailable, "408"},
		{"418", answer(418), rpc.CodeUnknown, "418"},
		{"426", answer(426), rpc.CodeUnimplemented, "426"},
		{"429", answer(429), rpc.CodeUnavailable, "429"},
		{"500", answer(500), rpc.CodeUnavailable, "500"},
		{"502", answer(502), rpc.CodeUnavailable, "502"},
		{"503", answer(503), rpc.CodeUnavailable, "503"},
		{"an ordinary page", answer(200), rpc.CodeUnimplemented, "not a WebSocket endpoint"},
		{"204", answer(204), rpc.CodeUnimplemented, "204"},
		{"a redirect", answer(302, "Location", "/elsewhere"), rpc.CodeUnimplemented, "elsewhere"},
		{"a WebSocket of another kind", nonParleyServer, rpc.CodeUnimplemented, ""},
		{"a server that hangs up", hangUp, rpc.CodeUnavailable, ""},
		{"a connection refused", fixed(unused), rpc.CodeUnavailable, "refused"},
		{"TLS where there is none", func(t *testing.T) string { return "wss" + strings.TrimPrefix(answer(200)(t), "ws") }, rpc.CodeUnavailable, ""},
		{"a name that does not exist", fixed("ws://name.invalid/"), rpc.CodeUnavailable, "name.invalid"},
		{"a scheme that is none", fixed("ftp://example.com"), rpc.CodeInvalidArgument, "ftp"},
		{"no host", fixed("ws:///path"), rpc.CodeInvalidArgument, ""},
		{"no URL", fixed("%zz"), rpc.CodeInvalidArgument, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := c.url(t)
			client := rpc.NewClient(url)
			defer client.Close()
			_, dialErr := rpc.Dial(t.Context(), url)
			for _, err := range []error{dialErr, ping(t.Context(), client), ping(t.Context(), client)} {
				wantError(t, err, c.code)
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not say %s", err, c.says)
				}
			}
		})
	}
}

// hangUp returns a URL whose server closes connections without a response.
func hangUp(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return "ws://" + l.Addr().String()
}

func TestARefusedOriginIsPermissionDenied(t *testing.T) {
	page := rpc.WithHTTPHeader(http.Header{"Origin": {"https://elsewhere.example"}})
	url := listen(t, newPinger(t))
	_, err := rpc.Dial(t.Context(), url, page)
	wantError(t, err, rpc.CodePermissionDenied)
	if !strings.Contains(err.Error(), "elsewhere.example") {
		t.Errorf("%v does not name the origin", err)
	}
	open := listen(t, newPinger(t, rpc.WithOrigins("https://*.example"), rpc.WithOrigins("https://other.test")))
	if err := ping(t.Context(), dial(t, open, page)); err != nil {
		t.Fatal(err)
	}
}
