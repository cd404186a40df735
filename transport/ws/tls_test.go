package ws_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// serveTLS is like serve, over TLS and with HTTP/2, which is a server's
// default. It also returns a client's TLS configuration.
func serveTLS(t testing.TB) (url string, cfg *tls.Config, accepted <-chan *ws.Conn) {
	t.Helper()
	conns := make(chan *ws.Conn, 4)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := new(ws.Upgrader).Upgrade(w, r); err == nil {
			conns <- c
		}
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = discardLog()
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return "wss" + strings.TrimPrefix(srv.URL, "https"), &tls.Config{RootCAs: pool}, conns
}

func connectTLS(t testing.TB) (client, server *ws.Conn) {
	t.Helper()
	url, cfg, accepted := serveTLS(t)
	client, err := (&ws.Dialer{TLSConfig: cfg}).Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(transport.CloseAbnormal, "") })
	return client, accept(t, accepted)
}

func TestMessagesTravelOverTLS(t *testing.T) {
	client, server := connectTLS(t)
	large := strings.Repeat("x", 300<<10)
	for _, ends := range [][2]*ws.Conn{{client, server}, {server, client}} {
		done := make(chan error, 1)
		go func() { done <- ends[0].WriteMessage([][]byte{[]byte(large)}) }()
		if got := read(t, ends[1]); got != large {
			t.Errorf("got %d bytes", len(got))
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		state := ends[0].TLS()
		if state == nil || !state.HandshakeComplete || state.NegotiatedProtocol == "h2" {
			t.Errorf("TLS %+v", state)
		}
	}
}

func TestTLSConfigOfAnHTTPClientWorks(t *testing.T) {
	url, cfg, accepted := serveTLS(t)
	cfg.NextProtos = []string{"h2", "http/1.1"} // the server would choose HTTP/2
	client, err := (&ws.Dialer{TLSConfig: cfg}).Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(transport.CloseAbnormal, "") })
	accept(t, accepted)
	if len(cfg.NextProtos) != 2 || cfg.ServerName != "" {
		t.Error("the caller's configuration was changed")
	}
}

func TestCloseCodesTravelOverTLS(t *testing.T) {
	for _, from := range []string{"client", "server"} {
		t.Run(from, func(t *testing.T) {
			self, peer := connectTLS(t)
			if from == "server" {
				self, peer = peer, self
			}
			done := make(chan error, 1)
			go func() { done <- self.Close(transport.CloseServiceRestart, "soon back") }()
			if got := wantClose(t, nextReader(peer), byPeer(transport.CloseServiceRestart)); got != "soon back" {
				t.Errorf("reason %q", got)
			}
			_ = timed(t, peer, transport.CloseNormal)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCloseOverTLSIsBoundedWhenAWriteIsBlocked(t *testing.T) {
	for _, from := range []string{"client", "server"} {
		t.Run(from, func(t *testing.T) {
			self, server := connectTLS(t)
			if from == "server" {
				self = server
			}
			blocked, ended := fill(self)
			<-blocked
			if err := timed(t, self, transport.CloseGoingAway); err == nil {
				t.Error("claims to have told a peer that does not read")
			}
			if err := <-ended; err == nil {
				t.Error("the blocked write succeeded")
			}
		})
	}
}

func TestCloseOverTLSIsBoundedWhenNothingCanBeWritten(t *testing.T) {
	// crypto/tls takes up to five seconds to send its own alert.
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	near, far := net.Pipe() // a write waits for a read
	t.Cleanup(func() { _ = far.Close() })
	upgraded := make(chan error, 1)
	go func() {
		conn := tls.Server(far, &tls.Config{Certificates: srv.TLS.Certificates})
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err == nil {
			_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Accept: "+acceptKey(r.Header.Get("Sec-WebSocket-Key"))+"\r\nSec-WebSocket-Protocol: parley.v1\r\n\r\n")
		}
		upgraded <- err // and read nothing any more
	}()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	client, err := (&ws.Dialer{
		TLSConfig: &tls.Config{RootCAs: pool},
		NetDial:   func(context.Context, string, string) (net.Conn, error) { return near, nil },
	}).Dial(t.Context(), "wss://example.com")
	if err := errors.Join(err, <-upgraded); err != nil {
		t.Fatal(err)
	}
	if err := timed(t, client, transport.CloseNormal); err == nil {
		t.Error("claims to have told a peer that does not read")
	}
}

func TestTLSFailureIsReportedWithItsReason(t *testing.T) {
	url, cfg, _ := serveTLS(t)
	plain, _ := serve(t, &ws.Upgrader{})
	other := cfg.Clone()
	other.ServerName = "other.test"
	old := cfg.Clone()
	old.MaxVersion = tls.VersionTLS11
	tests := map[string]struct {
		url  string
		cfg  *tls.Config
		text string
	}{
		"unknown authority": {url, nil, "certificate signed by unknown authority"},
		"another host":      {url, other, "other.test"},
		"version too old":   {url, old, "TLS failed"},
		"no TLS at all":     {"wss" + strings.TrimPrefix(plain, "ws"), nil, "does not speak TLS on this port"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := dialError(t, &ws.Dialer{TLSConfig: tt.cfg}, tt.url)
			wantText(t, err, tt.text)
			if err.Stage != ws.StageTLS {
				t.Errorf("stage %q", err.Stage)
			}
		})
	}
	err := dialError(t, &ws.Dialer{}, url)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("the reason cannot be inspected: %v", err)
	}
}

func TestPlainDialToATLSPortIsExplained(t *testing.T) {
	url, _, _ := serveTLS(t)
	err := dialError(t, &ws.Dialer{}, "ws"+strings.TrimPrefix(url, "wss"))
	wantText(t, err, "HTTP 400", "HTTPS server")
}
