package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	neturl "net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// memory is a listener in memory.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemory() *memory { return &memory{conns: make(chan net.Conn), done: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error   { m.once.Do(func() { close(m.done) }); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "unix"} }

// dial is a function for WithNetDial.
func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	dialer, acceptor := net.Pipe()
	select {
	case m.conns <- acceptor:
		return dialer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serveOn serves calls on a listener; f sees each handshake.
func serveOn(t *testing.T, l net.Listener, f func(*http.Request)) {
	t.Helper()
	srv := echoServer()
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f(r)
		srv.ServeHTTP(w, r)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = web.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		_ = web.Close()
		<-served
	})
}

// wantEcho makes a call and checks the response.
func wantEcho(t *testing.T, c rpc.Caller) {
	t.Helper()
	if got, err := converse(t.Context(), c, unary, []string{"hello"}); err != nil || !slices.Equal(got, []string{"hello"}) {
		t.Fatalf("%q, %v", got, err)
	}
}

// newClient returns a client that is closed when the test ends.
func newClient(t *testing.T, url string, opts ...rpc.ClientOption) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(url, opts...)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAClientDialsAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parley.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HTTP_PROXY", "http://proxy.invalid:1") // of no concern
	var host atomic.Value
	serveOn(t, l, func(r *http.Request) { host.Store(r.Host + r.URL.Path) })
	var addr atomic.Value
	c := newClient(t, "ws://unix/rpc", rpc.WithNetDial(func(ctx context.Context, network, to string) (net.Conn, error) {
		addr.Store(network + " " + to)
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}))
	wantEcho(t, c)
	if host.Load() != "unix/rpc" || addr.Load() != "tcp unix:80" {
		t.Errorf("dialed %v, asked for %v", addr.Load(), host.Load())
	}
	conn, err := c.Connect(t.Context())
	if err != nil || conn.Peer().Addr.Network() != "unix" {
		t.Errorf("%v, %v", conn.Peer().Addr, err)
	}
}

func TestAClientDialsInMemory(t *testing.T) {
	l := newMemory()
	serveOn(t, l, func(*http.Request) {})
	wantEcho(t, newClient(t, "ws://memory", rpc.WithNetDial(l.dial)))
}

func TestADialerOfOnesOwnFailsLikeTheNetwork(t *testing.T) {
	c := newClient(t, "ws://unix/rpc", rpc.WithNetDial(func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the socket is not there")
	}))
	_, err := c.Connect(t.Context())
	wantError(t, err, rpc.CodeUnavailable)
	if !strings.Contains(err.Error(), "the socket is not there") {
		t.Error(err)
	}
}

// tunnels is an HTTP proxy that knows one server.
func tunnels(t *testing.T, server string) (proxy *neturl.URL, asked *atomic.Value) {
	t.Helper()
	asked = new(atomic.Value)
	var running sync.WaitGroup
	running.Add(1) // until the proxy is closed
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		up, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = down.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		running.Go(func() { _, _ = io.Copy(up, down); _ = up.Close() })
		running.Go(func() { _, _ = io.Copy(down, up); _ = down.Close() })
	}))
	t.Cleanup(func() { web.Close(); running.Done(); running.Wait() })
	proxy, err := neturl.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	return proxy, asked
}

func TestAClientGoesThroughTheProxyThatAFunctionNames(t *testing.T) {
	url, _ := serve(t)
	_, host, _ := strings.Cut(url, "://")
	proxy, asked := tunnels(t, host)
	var seen atomic.Value
	named := func(r *http.Request) (*neturl.URL, error) {
		seen.Store(r.URL.String())
		return proxy, nil
	}
	conn, err := newClient(t, "ws://server.test/rpc?a=b", rpc.WithProxy(named)).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if seen.Load() != "http://server.test/rpc?a=b" || asked.Load() != "CONNECT server.test:80" {
		t.Errorf("asked for the proxy of %v, and it for %v", seen.Load(), asked.Load())
	}
}

func TestAProxyIsReachedByTheDialerOfOnesOwn(t *testing.T) {
	url, _ := serve(t)
	_, host, _ := strings.Cut(url, "://")
	proxy, asked := tunnels(t, host)
	var dialed atomic.Value
	c := newClient(t, "ws://server.test/rpc",
		rpc.WithProxy(http.ProxyURL(&neturl.URL{Scheme: "http", Host: "proxy.test"})),
		rpc.WithNetDial(func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialed.Store(addr)
			return new(net.Dialer).DialContext(ctx, network, proxy.Host)
		}))
	if _, err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dialed.Load() != "proxy.test:80" || asked.Load() != "CONNECT server.test:80" {
		t.Errorf("dialed %v, asked for %v", dialed.Load(), asked.Load())
	}
}

func TestAProxyThatIsNotKnownNamesTheOptionThatHelps(t *testing.T) {
	c := newClient(t, "ws://server.test/rpc", rpc.WithProxy(http.ProxyURL(&neturl.URL{Scheme: "socks5", Host: "proxy.test"})))
	_, err := c.Connect(t.Context())
	wantError(t, err, rpc.CodeUnavailable)
	if !strings.Contains(err.Error(), "WithNetDial") {
		t.Error(err)
	}
}

func TestACookieJarIsSentAndFilled(t *testing.T) {
	srv := echoServer()
	var got []string
	var mu sync.Mutex
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, strings.Join(r.Header.Values("Cookie"), " | "))
		mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "server", Value: "3"})
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = srv.Close(); web.Close() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := &neturl.URL{Scheme: "http", Host: web.Listener.Addr().String(), Path: "/"}
	jar.SetCookies(at, []*http.Cookie{{Name: "a", Value: "1"}})
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	dial(t, url, rpc.WithCookieJar(jar))
	jar.SetCookies(at, []*http.Cookie{{Name: "server", Value: "4"}})
	dial(t, url, rpc.WithCookieJar(jar), rpc.WithHTTPHeader(http.Header{"Cookie": {"b=2", "c=3"}}))
	dial(t, url, rpc.WithHTTPHeader(http.Header{"Cookie": {"b=2"}}))
	want := []string{"a=1", "b=2; c=3; a=1; server=4", "b=2"}
	if mu.Lock(); !slices.Equal(got, want) {
		t.Errorf("sent %q", got)
	}
	mu.Unlock()
}

// During a drain a client has two sessions, at two servers.
func TestASessionIsResumedWithItsOwnCookies(t *testing.T) {
	srv := echoServer()
	got := make(chan string, 10)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "server", Value: "a"})
		http.SetCookie(w, &http.Cookie{Name: "gone", MaxAge: -1})
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = srv.Close(); web.Close() })
	at := &neturl.URL{Scheme: "http", Host: web.Listener.Addr().String(), Path: "/"}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, opts := range map[string][]rpc.ClientOption{
		"server=a":                 nil,
		"server=a; b=2":            {rpc.WithHTTPHeader(http.Header{"Cookie": {"b=2"}})},
		"server=a; login=new":      {rpc.WithCookieJar(jar)},
		"server=a; login=new; b=2": {rpc.WithCookieJar(jar), rpc.WithHTTPHeader(http.Header{"Cookie": {"b=2"}})},
	} {
		jar.SetCookies(at, []*http.Cookie{{Name: "server", MaxAge: -1}, {Name: "login", MaxAge: -1}})
		links, back := make(chan net.Conn, 10), make(chan struct{}, 10)
		conn := dial(t, "ws"+strings.TrimPrefix(web.URL, "http"), append(opts,
			rpc.OnResumed(func(*rpc.Conn) { back <- struct{}{} }),
			rpc.WithNetDial(func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				links <- conn
				return conn, err
			}))...)
		if _, err := conn.Ping(t.Context()); err != nil { // now the session can be resumed
			t.Fatal(err)
		}
		jar.SetCookies(at, []*http.Cookie{{Name: "server", Value: "b"}, {Name: "login", Value: "new"}})
		_ = (<-links).Close()
		<-back
		<-got
		if again := strings.Split(<-got, "; "); !sameWords(again, strings.Split(want, "; ")) {
			t.Errorf("sent %q to resume, want %q", again, want)
		}
	}
}

// sameWords reports whether two lists have the same elements.
func sameWords(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func TestAHandshakeRequestIsPreparedEachTime(t *testing.T) {
	var seen []string
	var mu sync.Mutex
	srv := echoServer()
	url := serveHTTP(t, srv, func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Host+" "+r.Header.Get("X-Number")+" "+r.Header.Get("X-Url")+" "+r.Header.Get("X-Given")+r.Header.Get("X-Also"))
	})
	n := 0
	prepare := func(r *http.Request) error {
		n++
		r.Header.Set("X-Number", string(rune('0'+n)))
		r.Header.Set("X-Url", r.Method+r.URL.String())
		r.Host = "front.test"
		_, ok := r.Context().Deadline()
		if !ok {
			return errors.New("no deadline")
		}
		return nil
	}
	given := func(r *http.Request) error {
		r.Header.Set("X-Given", r.Header.Get("X-Given")+r.Header.Get("X-Number"))
		return nil
	}
	opts := []rpc.ClientOption{
		rpc.WithHTTPHeader(http.Header{"X-Given": {"replaced"}, "X-Also": {"1"}}), rpc.WithHTTPHeader(http.Header{"X-Given": {"given"}}),
		rpc.WithHandshakeRequest(prepare), rpc.WithHandshakeRequest(given),
	}
	c := newClient(t, url+"/rpc?x=y", opts...)
	for range 2 {
		conn, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		<-conn.Done()
	}
	to := " GET" + "http" + strings.TrimPrefix(url, "ws") + "/rpc?x=y "
	want := []string{"front.test 1" + to + "given11", "front.test 2" + to + "given21"}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

func TestAHandshakeRequestMayFail(t *testing.T) {
	for _, c := range []struct {
		err  error
		code rpc.Code
	}{
		{errors.New("the signer is away"), rpc.CodeUnavailable},
		{rpc.Errorf(rpc.CodePermissionDenied, "no key"), rpc.CodePermissionDenied},
	} {
		client := newClient(t, "ws://server.invalid/rpc", rpc.WithHandshakeRequest(func(*http.Request) error { return c.err }))
		_, err := client.Connect(t.Context())
		wantError(t, err, c.code)
		if !errors.Is(err, c.err) {
			t.Errorf("%v does not say why", err)
		}
	}
}

func TestOptionsOfTheHandshakeAreNamedWhenTheyAreWrong(t *testing.T) {
	for name, opt := range map[string]rpc.ClientOption{
		"WithNetDial":          rpc.WithNetDial(nil),
		"WithProxy":            rpc.WithProxy(nil),
		"WithCookieJar":        rpc.WithCookieJar(nil),
		"WithHandshakeRequest": rpc.WithHandshakeRequest(nil),
		"WithHTTPHeader":       rpc.WithHTTPHeader(http.Header{"Upgrade": {"h2c"}}),
		"WithHandshakeTimeout": rpc.WithHandshakeTimeout(-1),
	} {
		_, err := newClient(t, "ws://server.test", opt).Connect(t.Context())
		wantError(t, err, rpc.CodeInvalidArgument)
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

// TestURLsAreLookedAtWhenTheyAreNeeded: NewClient accepts a URL that cannot be
// dialed; the client's calls fail.
func TestURLsAreLookedAtWhenTheyAreNeeded(t *testing.T) {
	for _, url := range []string{"", "/rpc", "unix:///tmp/s", "ws://", "ws://%zz/", "ftp://server.test/", "ws://a:b@server.test/"} {
		for _, opts := range [][]rpc.ClientOption{nil, {rpc.WithHandshakeRequest(func(*http.Request) error { return nil })}} {
			_, err := newClient(t, url, opts...).Connect(t.Context())
			wantError(t, err, rpc.CodeInvalidArgument)
		}
	}
	url, _ := serve(t)
	if _, err := newClient(t, "/rpc", rpc.WithURLs(url)).Connect(t.Context()); err != nil {
		t.Errorf("though the other URL is good: %v", err)
	}
}
