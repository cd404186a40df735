package ws_test

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// connectProxy is an HTTP proxy whose tunnels all lead to one address.
type connectProxy struct {
	to     string
	reject http.HandlerFunc // instead of a tunnel, if set

	mu    sync.Mutex
	asked []string // "CONNECT host:port authorization", and a TLS server name if that is not an address
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	asked := r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
	if r.TLS != nil {
		asked += r.TLS.ServerName
	}
	p.asked = append(p.asked, asked)
	p.mu.Unlock()
	if p.reject != nil {
		p.reject(w, r)
		return
	}
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	var tunnel sync.WaitGroup
	tunnel.Go(func() { _, _ = io.Copy(server, client); _ = server.(*net.TCPConn).CloseWrite() })
	_, _ = io.Copy(client, server)
	_ = client.Close()
	tunnel.Wait()
}

func (p *connectProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func addrOf(t testing.TB, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func proxyURL(t testing.TB, raw, user string) func(*http.Request) (*url.URL, error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		u.User = url.UserPassword(user, "secret")
	}
	return http.ProxyURL(u)
}

func TestDialGoesThroughAProxy(t *testing.T) {
	plain, plainAccepted := serve(t, &ws.Upgrader{})
	secure, cfg, secureAccepted := serveTLS(t)
	cfg.ServerName = "example.com" // of the certificate, not of the proxy
	tests := map[string]struct {
		to, url  string
		accepted <-chan *ws.Conn
		asks     string
	}{
		"ws":  {addrOf(t, plain), "ws://parley.invalid/rpc", plainAccepted, "CONNECT parley.invalid:80 Basic dXNlcjpzZWNyZXQ="},
		"wss": {addrOf(t, secure), "wss://parley.invalid/rpc", secureAccepted, "CONNECT parley.invalid:443 Basic dXNlcjpzZWNyZXQ="},
	}
	for name, tt := range tests {
		for _, kind := range []string{"http", "https"} {
			t.Run(name+" by "+kind, func(t *testing.T) {
				p := &connectProxy{to: tt.to}
				srv := httptest.NewUnstartedServer(p)
				dialer := &ws.Dialer{TLSConfig: cfg.Clone()}
				if kind == "https" {
					srv.StartTLS()
					dialer.TLSConfig.RootCAs = cfg.RootCAs.Clone()
					dialer.TLSConfig.RootCAs.AddCert(srv.Certificate())
				} else {
					srv.Start()
				}
				t.Cleanup(srv.Close)
				dialer.Proxy = proxyURL(t, srv.URL, "user")
				client, err := dialer.Dial(t.Context(), tt.url)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = client.Close(1006, "") })
				server := accept(t, tt.accepted)
				write(t, client, "up")
				write(t, server, "down")
				if read(t, server) != "up" || read(t, client) != "down" {
					t.Error("wrong messages")
				}
				if asked := p.requests(); len(asked) != 1 || asked[0] != tt.asks {
					t.Errorf("asked %q, want %q", asked, tt.asks)
				}
				done := make(chan error, 1)
				go func() { done <- client.Close(1001, "bye") }()
				if got := wantClose(t, nextReader(server), byPeer(1001)); got != "bye" {
					t.Errorf("reason %q", got)
				}
				_ = server.Close(1000, "")
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestProxyThatRefusesIsToldApartFromTheServer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	raw := func(answer string) string {
		return "http" + strings.TrimPrefix(rawListener(t, func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer)
			}
			if strings.Contains(answer, "endless") {
				_, _ = io.Copy(io.Discard, conn) // until the client closes
			}
		}), "ws")
	}
	refusing := httptest.NewServer(&connectProxy{reject: func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
	}})
	t.Cleanup(refusing.Close)
	tests := map[string]struct {
		proxy  string
		status int
		text   []string
	}{
		"wants credentials": {refusing.URL, 407, []string{"the proxy 127.0.0.1:", "does not connect to parley.invalid:80 (HTTP 407 Proxy Authentication Required): who are you?"}},
		"no reason phrase":  {raw("HTTP/1.1 407\r\n\r\n"), 407, []string{"HTTP 407"}},
		"not reachable":     {"http://" + closed.Addr().String(), 0, []string{"cannot reach the proxy", "connection refused"}},
		"not HTTP":          {raw("220 smtp.test ESMTP\r\n"), 0, []string{"no response to CONNECT"}},
		"closes":            {raw(""), 0, []string{"closed the connection without a response"}},
		"talks too early":   {raw("HTTP/1.1 200 OK\r\n\r\nhello"), 0, []string{"sent data after its response to CONNECT"}},
		"endless header":    {raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("endless ", 16<<10)), 0, []string{"header too large"}},
		"socks":             {"socks5://127.0.0.1:1080", 0, []string{`scheme "socks5"`}},
		"no host":           {"http://:3128", 0, []string{"names no host"}},
		"not TLS":           {"https" + strings.TrimPrefix(refusing.URL, "http"), 0, []string{"TLS failed"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := dialError(t, &ws.Dialer{Proxy: proxyURL(t, tt.proxy, "user")}, "ws://parley.invalid")
			wantText(t, err, tt.text...)
			if err.Stage != ws.StageProxy || err.Status != tt.status || strings.Contains(err.Error(), "secret") {
				t.Errorf("stage %q, status %d: %v", err.Stage, err.Status, err)
			}
		})
	}
}

func TestContextEndsTheWaitForAProxy(t *testing.T) {
	d := &ws.Dialer{Proxy: proxyURL(t, "http"+strings.TrimPrefix(silent(t), "ws"), ""), HandshakeTimeout: 50 * time.Millisecond}
	wantText(t, dialError(t, d, "ws://parley.invalid"), "no connection within 50ms")
}

func TestProxyIsTakenFromTheEnvironmentByDefault(t *testing.T) {
	const target = "PARLEY_TEST_DIAL"
	if url := os.Getenv(target); url != "" { // the child: net/http reads the environment once
		c, err := new(ws.Dialer).Dial(context.Background(), url)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close(1000, "")
		return
	}
	url, accepted := serve(t, &ws.Upgrader{})
	p := &connectProxy{to: addrOf(t, url)}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), target+"=ws://parley.invalid/rpc", "HTTP_PROXY="+srv.URL, "NO_PROXY=", "no_proxy=", "http_proxy=")
	var closing sync.WaitGroup
	closing.Go(func() {
		server := <-accepted
		_ = nextReader(server)
		_ = server.Close(1000, "")
	})
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	closing.Wait()
	if asked := p.requests(); len(asked) != 1 || asked[0] != "CONNECT parley.invalid:80 " {
		t.Errorf("asked %q", asked)
	}
}
