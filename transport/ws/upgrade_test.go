package ws_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

func TestServerAnswersTheExampleOfTheRFC(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{Hosts: []string{"server.example.com"}}) // it comes over loopback
	p := rawDial(t, url)
	p.send("GET /chat HTTP/1.1\r\n" +
		"Host: server.example.com\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Origin: http://server.example.com\r\n" +
		"Sec-WebSocket-Protocol: chat, parley.v1\r\n" +
		"Sec-WebSocket-Version: 13\r\n\r\n")
	resp := p.response()
	accept(t, accepted)
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Proto != "HTTP/1.1" {
		t.Fatalf("%s %s", resp.Proto, resp.Status)
	}
	for name, want := range map[string]string{
		"Upgrade":                "websocket",
		"Connection":             "Upgrade",
		"Sec-Websocket-Accept":   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"Sec-Websocket-Protocol": "parley.v1",
	} {
		if got := resp.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if ext := resp.Header.Values("Sec-WebSocket-Extensions"); ext != nil {
		t.Errorf("extensions %q", ext)
	}
}

func TestMalformedHandshakeGetsAReadableRefusal(t *testing.T) {
	tests := []struct {
		name    string
		request string
		status  int
		text    string            // part of the body
		header  map[string]string // of the answer
	}{
		{"a page in a browser", handshakeRequest("Upgrade:", "Connection: keep-alive"), 426,
			"WebSocket endpoint", map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Parley-Versions": "parley.v1"}},
		{"another upgrade", handshakeRequest("Upgrade: h2c"), 426, "Upgrade: websocket", nil},
		{"no connection token", handshakeRequest("Connection:"), 426, "Connection: Upgrade", nil},
		{"connection without upgrade", handshakeRequest("Connection: keep-alive"), 426, "proxy", nil},
		{"version 8", handshakeRequest("Sec-WebSocket-Version: 8"), 426, "version 13",
			map[string]string{"Sec-Websocket-Version": "13"}},
		{"no version", handshakeRequest("Sec-WebSocket-Version:"), 426, "version 13",
			map[string]string{"Sec-Websocket-Version": "13"}},
		{"two versions", handshakeRequest("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8"), 426, "once", nil},
		{"no key", handshakeRequest("Sec-WebSocket-Key:"), 400, "Sec-WebSocket-Key", nil},
		{"short key", handshakeRequest("Sec-WebSocket-Key: c2hvcnQ="), 400, "16 bytes", nil},
		{"key not base64", handshakeRequest("Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!=="), 400, "base64", nil},
		{"two keys", handshakeRequest("Sec-WebSocket-Key: " + rfcKey + "\r\nSec-WebSocket-Key: " + rfcKey), 400, "once", nil},
		{"POST", handshakeRequest("GET:POST /rpc HTTP/1.1"), 405, "GET", map[string]string{"Allow": "GET"}},
		{"a body", handshakeRequest("Content-Length: 2") + "\x82\x80", 400, "no body", nil},
		{"a body in chunks", handshakeRequest("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, "no body", nil},
		{"HTTP/1.0", handshakeRequest("GET:GET /rpc HTTP/1.0"), 505, "HTTP/1.1", nil},
		{"no subprotocol", handshakeRequest("Sec-WebSocket-Protocol:"), 400, "offered none",
			map[string]string{"Parley-Versions": "parley.v1"}},
		{"unknown subprotocols", handshakeRequest("Sec-WebSocket-Protocol: chat, parley.v9"), 400,
			"this server speaks parley.v1; the client offered chat, parley.v9",
			map[string]string{"Parley-Versions": "parley.v1"}},
		{"subprotocol in another case", handshakeRequest("Sec-WebSocket-Protocol: Parley.V1"), 400, "offered Parley.V1", nil},
		{"subprotocol not a token", handshakeRequest("Sec-WebSocket-Protocol: parley.v1, a b"), 400, "element 2", nil},
		{"another page", handshakeRequest("Origin: https://evil.test"), 403,
			`Pages of the origin "https://evil.test" may not connect to "parley.test"`, nil},
		{"two origins", handshakeRequest("Origin: http://parley.test\r\nOrigin: http://parley.test"), 403, "2 Origin headers", nil},
	}
	url, accepted := serve(t, &ws.Upgrader{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := rawDial(t, url)
			p.send(tt.request)
			resp := p.response()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.text) {
				t.Errorf("%s %q\nwant %d and %q", resp.Status, body, tt.status, tt.text)
			}
			if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
				t.Errorf("Content-Type %q", kind)
			}
			for name, want := range tt.header {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if len(accepted) != 0 {
				t.Error("upgraded all the same")
			}
		})
	}
}

func TestUpgradeReturnsWhatItAnswered(t *testing.T) {
	w := httptest.NewRecorder()
	c, err := new(ws.Upgrader).Upgrade(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if c != nil || err == nil || !strings.Contains(err.Error(), "426") || !strings.Contains(err.Error(), "Upgrade: websocket") {
		t.Fatalf("got %v, %v", c, err)
	}
	if w.Code != http.StatusUpgradeRequired {
		t.Errorf("status %d", w.Code)
	}
}

func TestHTTP2RequestIsAskedToUseHTTP1(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := new(ws.Upgrader).Upgrade(w, r); err == nil {
			t.Error("upgraded")
		}
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusHTTPVersionNotSupported || !strings.Contains(string(body), "HTTP/1.1 only") {
		t.Fatalf("%s %s %q", resp.Proto, resp.Status, body)
	}
}

func TestServerPicksTheFirstOfItsOwnThatIsOffered(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{Subprotocols: []string{"parley.v2", "parley.v1"}})
	for offer, want := range map[string]string{
		"parley.v1, parley.v2":                          "parley.v2",
		"parley.v3,parley.v1":                           "parley.v1",
		"parley.v1\r\nSec-WebSocket-Protocol:parley.v2": "parley.v2", // two lines are one list
		" ,parley.v1,, ":                                "parley.v1",
	} {
		p := rawDial(t, url)
		p.send(handshakeRequest("Sec-WebSocket-Protocol: " + offer))
		resp := p.response()
		if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("offer %q: got %q, want %q (%s)", offer, got, want, resp.Status)
			continue
		}
		if got := accept(t, accepted).Subprotocol(); got != want {
			t.Errorf("Conn.Subprotocol %q, want %q", got, want)
		}
	}
}

func TestBearerTokenIsNeverChosenNorEchoed(t *testing.T) {
	const token = "parley.bearer.c2VjcmV0"
	tests := []struct {
		name, offer string
		speaks      []string
		chosen      string
	}{
		{"beside the protocol", token + ", parley.v1", nil, "parley.v1"},
		{"alone", token, nil, ""},
		{"in capitals", "Parley.Bearer.c2VjcmV0", nil, ""},
		{"server misconfigured to speak it", token, []string{token}, ""},
		{"with another protocol", "chat, " + token, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, accepted := serve(t, &ws.Upgrader{Subprotocols: tt.speaks})
			p := rawDial(t, url)
			p.send(handshakeRequest("Sec-WebSocket-Protocol: " + tt.offer))
			resp := p.response()
			var all strings.Builder
			if tt.chosen != "" {
				accept(t, accepted)
				if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != tt.chosen {
					t.Errorf("chose %q", got)
				}
			} else if err := resp.Write(&all); err != nil || resp.StatusCode != http.StatusBadRequest {
				t.Fatalf("%s, %v", resp.Status, err)
			}
			if strings.Contains(all.String(), "c2VjcmV0") {
				t.Errorf("the answer tells the token:\n%s", &all)
			}
		})
	}
}

func TestErrorOfUpgradeDoesNotTellABearerToken(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": rfcKey, "Sec-WebSocket-Protocol": "chat, parley.bearer.c2VjcmV0",
	} {
		r.Header.Set(name, value)
	}
	_, err := new(ws.Upgrader).Upgrade(httptest.NewRecorder(), r)
	if err == nil || strings.Contains(err.Error(), "c2VjcmV0") || !strings.Contains(err.Error(), "offered chat.") {
		t.Fatal(err)
	}
}

func TestLongListOfSubprotocolsIsCutInTheAnswer(t *testing.T) {
	url, _ := serve(t, &ws.Upgrader{})
	p := rawDial(t, url)
	p.send(handshakeRequest("Sec-WebSocket-Protocol: " + strings.Repeat("x,", 5000) + strings.Repeat("y", 5000)))
	resp := p.response()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusBadRequest || len(body) > 500 || !strings.Contains(string(body), "more") {
		t.Fatalf("%s, %d bytes: %q", resp.Status, len(body), body)
	}
}

func TestHandlerCanSetACookieBeforeTheUpgrade(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "42"})
		w.Header().Set("Content-Length", "7") // of a body that does not exist
		if c, err := new(ws.Upgrader).Upgrade(w, r); err == nil {
			_ = c.Close(1000, "")
		}
	}))
	t.Cleanup(srv.Close)
	p := rawDial(t, "ws://"+srv.Listener.Addr().String())
	p.send(handshakeRequest())
	resp := p.response()
	if got := resp.Header.Get("Set-Cookie"); got != "session=42" {
		t.Errorf("Set-Cookie %q", got)
	}
	if got := resp.Header.Get("Content-Length"); got != "" {
		t.Errorf("Content-Length %q", got)
	}
}

// plainWriter is a middleware's ResponseWriter that hides the Hijacker.
type plainWriter struct{ http.ResponseWriter }

// honestWriter is one that has Unwrap.
type honestWriter struct{ http.ResponseWriter }

func (w honestWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestMiddlewareThatHidesTheConnectionIsNamed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := new(ws.Upgrader).Upgrade(plainWriter{w}, r); err == nil {
			t.Error("upgraded what cannot be hijacked")
		}
	}))
	t.Cleanup(srv.Close)
	p := rawDial(t, "ws://"+srv.Listener.Addr().String())
	p.send(handshakeRequest())
	resp := p.response()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), "middleware hides") {
		t.Fatalf("%s %q %v", resp.Status, body, err)
	}
}

func TestMiddlewareThatUnwrapsIsNoObstacle(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(ws.Upgrader).Upgrade(honestWriter{w}, r)
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.Close(1000, "")
	}))
	t.Cleanup(srv.Close)
	dial(t, "ws://"+srv.Listener.Addr().String())
}

// deadlineConn records its deadlines.
type deadlineConn struct {
	net.Conn
	mu          sync.Mutex
	read, write time.Time
	everSet     bool
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.everSet = t, c.everSet || !t.IsZero()
	return c.Conn.SetReadDeadline(t)
}

func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// deadlineListener accepts deadlineConns and sends them on the channel.
type deadlineListener struct {
	net.Listener
	conns chan *deadlineConn
}

func (l deadlineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &deadlineConn{Conn: conn}
	l.conns <- c
	return c, nil
}

func TestDeadlinesOfTheHTTPServerAreLiftedByTheUpgrade(t *testing.T) {
	conns := make(chan *ws.Conn, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(ws.Upgrader).Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		conns <- c
	}))
	listener := deadlineListener{srv.Listener, make(chan *deadlineConn, 1)}
	srv.Listener = listener
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = time.Hour, time.Hour
	srv.Start()
	t.Cleanup(srv.Close)
	client := dial(t, "ws://"+srv.Listener.Addr().String())
	server := accept(t, conns)
	write(t, client, "up")
	write(t, server, "down")
	if read(t, server) != "up" || read(t, client) != "down" {
		t.Error("wrong messages")
	}

	conn := <-listener.conns
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if !conn.everSet {
		t.Error("the HTTP server set no deadline: the test shows nothing")
	}
	if !conn.read.IsZero() || !conn.write.IsZero() {
		t.Errorf("deadlines left: read %v, write %v", conn.read, conn.write)
	}
}

func TestContextOfTheRequestDoesNotEndTheConnection(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	conns := make(chan *ws.Conn, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(ws.Upgrader).Upgrade(w, r.WithContext(ctx))
		if err != nil {
			t.Error(err)
			return
		}
		conns <- c
	}))
	t.Cleanup(srv.Close)
	client := dial(t, "ws://"+srv.Listener.Addr().String())
	server := accept(t, conns)
	cancel()
	write(t, client, "still here")
	if got := read(t, server); got != "still here" {
		t.Errorf("got %q", got)
	}
}

func TestUpgraderNamesTheFieldThatCannotBeUsed(t *testing.T) {
	for want, u := range map[string]ws.Upgrader{
		`Origins[1]: "example.com" is not a pattern`: {Origins: []string{"*", "example.com"}},
		"HandshakeTimeout":                           {HandshakeTimeout: -1},
		"ReadLimit":                                  {ReadLimit: -1},
		`Subprotocols[0]: "a b" is not a token`:      {Subprotocols: []string{"a b"}},
		"Subprotocols[1] is there twice":             {Subprotocols: []string{"a", "a"}},
	} {
		if err := u.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := new(ws.Upgrader).Validate(); err != nil {
		t.Error(err)
	}
}
