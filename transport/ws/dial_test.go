package ws_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

// dialError dials and returns the error, which has to be a *HandshakeError.
func dialError(t testing.TB, d *ws.Dialer, url string) *ws.HandshakeError {
	t.Helper()
	c, err := d.Dial(context.Background(), url)
	if err == nil {
		_ = c.Close(1006, "")
		t.Fatalf("dial %s succeeded", url)
	}
	var failed *ws.HandshakeError
	if !errors.As(err, &failed) {
		t.Fatalf("%T is no *HandshakeError: %v", err, err)
	}
	return failed
}

func wantText(t testing.TB, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q\nlacks %q", err, part)
		}
	}
}

// respond starts an HTTP server that handles all requests with f.
func respond(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http") + "/rpc"
}

func TestDialSaysWhatTheServerAnsweredInstead(t *testing.T) {
	plain := map[string]string{"Content-Type": "text/plain"}
	tests := []struct {
		status int
		header map[string]string
		body   string
		text   []string
		not    string
	}{
		{200, map[string]string{"Content-Type": "text/html"}, "<h1>Welcome</h1>", []string{"not a WebSocket endpoint: check the URL (HTTP 200 OK)"}, "Welcome"},
		{404, plain, "404 page not found", []string{"not a WebSocket endpoint: check the URL (HTTP 404 Not Found): 404 page not found"}, ""},
		{405, plain, "", []string{"not a WebSocket endpoint: check the URL (HTTP 405"}, ""},
		{301, map[string]string{"Location": "https://user:pw@other.test/rpc?token=secret"}, "",
			[]string{"redirected (HTTP 301 Moved Permanently) to https://other.test/rpc: dial that URL, redirects are not followed"}, "secret"},
		{302, nil, "", []string{"to nowhere"}, ""},
		{401, plain, "token expired", []string{"credentials (HTTP 401 Unauthorized): token expired"}, ""},
		{403, plain, "not for you", []string{"refuses this client or its origin (HTTP 403 Forbidden): not for you"}, ""},
		{400, plain, "bad\x1b[31m thing\nsecond line", []string{"refuses the handshake (HTTP 400 Bad Request): bad?[31m thing"}, "second"},
		{429, plain, "", []string{"refuses the handshake (HTTP 429 Too Many Requests)"}, ""},
		{426, map[string]string{"Sec-Websocket-Version": "14"}, "", []string{"another version of the WebSocket protocol: 14"}, ""},
		{503, plain, "draining", []string{"cannot serve now (HTTP 503 Service Unavailable): draining"}, ""},
		{400, map[string]string{"Parley-Versions": "parley.v3, parley.v2"}, "",
			[]string{"no common version: the server speaks parley.v3, parley.v2, this client parley.v1 (HTTP 400"}, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			url := respond(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			err := dialError(t, &ws.Dialer{}, url)
			wantText(t, err, append(tt.text, "ws: dial "+url+": ")...)
			if tt.not != "" && strings.Contains(err.Error(), tt.not) {
				t.Errorf("%q tells %q", err, tt.not)
			}
			if err.Status != tt.status || err.Stage != ws.StageUpgrade || err.Body != tt.body {
				t.Errorf("status %d, stage %q, body %q", err.Status, err.Stage, err.Body)
			}
		})
	}
}

func TestVersionMismatchNamesBothSides(t *testing.T) {
	url, _ := serve(t, &ws.Upgrader{Subprotocols: []string{"parley.v3", "parley.v2"}})
	err := dialError(t, &ws.Dialer{Subprotocols: []string{"parley.v1", "parley.bearer.c2VjcmV0"}}, url)
	wantText(t, err, "the server speaks parley.v3, parley.v2, this client parley.v1")
	if !slices.Equal(err.ServerSubprotocols, []string{"parley.v3", "parley.v2"}) || !slices.Equal(err.OfferedSubprotocols, []string{"parley.v1"}) {
		t.Errorf("server %q, offered %q", err.ServerSubprotocols, err.OfferedSubprotocols)
	}
	if all := fmt.Sprintf("%+v %s", *err, err); strings.Contains(all, "c2VjcmV0") {
		t.Errorf("tells the token: %s", all)
	}
}

func TestRefusalOfAnOriginIsExplained(t *testing.T) {
	url, _ := serve(t, &ws.Upgrader{})
	err := dialError(t, &ws.Dialer{Header: http.Header{"origin": {"https://evil.test"}}}, url)
	wantText(t, err, "HTTP 403", `Pages of the origin "https://evil.test" may not connect`)
}

func TestClientsPreferenceIsOffered(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{Subprotocols: []string{"b", "a"}})
	c, err := (&ws.Dialer{Subprotocols: []string{"a", "b", "parley.bearer.c2VjcmV0"}}).Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(1006, "") })
	if s := accept(t, accepted); c.Subprotocol() != "b" || s.Subprotocol() != "b" {
		t.Errorf("client %q, server %q", c.Subprotocol(), s.Subprotocol())
	}
}

// upgradeWith answers a handshake with a text, in which %s is the accept key.
func upgradeWith(t testing.TB, answer string) string {
	t.Helper()
	return rawListener(t, func(conn net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		accept := acceptKey(r.Header.Get("Sec-WebSocket-Key"))
		_, _ = io.WriteString(conn, strings.ReplaceAll(answer, "%s", accept))
		_, _ = io.Copy(io.Discard, conn)
	})
}

// rawListener serves every connection with f and returns the ws URL.
func rawListener(t testing.TB, f func(conn net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "ws://" + listener.Addr().String()
}

func TestClientChecksTheUpgradeAgain(t *testing.T) {
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	tests := map[string]struct{ answer, text string }{
		"no subprotocol":       {ok + "Sec-WebSocket-Accept: %s\r\n\r\n", "does not speak parley.v1: it chose no subprotocol"},
		"another subprotocol":  {ok + "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n", "the server chose the subprotocol chat, this client offered parley.v1"},
		"two subprotocols":     {ok + "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Protocol: chat\r\n\r\n", "chose the subprotocol parley.v1, chat"},
		"the bearer token":     {ok + "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: parley.bearer.c2VjcmV0\r\n\r\n", "chose the credential"},
		"an extension":         {ok + "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n", "extension that was not offered"},
		"half an extension":    {ok + "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "HTTP 101"},
		"wrong accept":         {ok + "Sec-WebSocket-Accept: " + rfcAccept + "\r\n\r\n", "not a WebSocket server"},
		"no upgrade header":    {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", "not a WebSocket server"},
		"no connection header": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", "not a WebSocket server"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := &ws.Dialer{Subprotocols: []string{"parley.v1", "parley.bearer.c2VjcmV0"}}
			err := dialError(t, d, upgradeWith(t, tt.answer))
			wantText(t, err, tt.text)
			if all := fmt.Sprintf("%+v %s", *err, err); strings.Contains(all, "c2VjcmV0") {
				t.Errorf("tells the token: %s", all)
			}
			if err.Status != http.StatusSwitchingProtocols || err.Stage != ws.StageUpgrade {
				t.Errorf("status %d, stage %q", err.Status, err.Stage)
			}
		})
	}
}

func TestDialSaysWhenTheServerDoesNotSpeakHTTP(t *testing.T) {
	tests := map[string]struct{ answer, text string }{
		"ssh":       {"SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP"},
		"nothing":   {"", "closed the connection without a response"},
		"half":      {"HTTP/1.1 101 Swi", "closed the connection without a response"},
		"no end":    {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10), "too large"},
		"long line": {strings.Repeat("x", 2000) + "\r\n\r\n", "does not speak HTTP"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			url := rawListener(t, func(conn net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = io.WriteString(conn, tt.answer)
			})
			err := dialError(t, &ws.Dialer{}, url)
			wantText(t, err, tt.text)
			if len(err.Error()) > 500 || err.Stage != ws.StageUpgrade {
				t.Errorf("stage %q, %d bytes: %v", err.Stage, len(err.Error()), err)
			}
		})
	}
}

func TestBodyInTheErrorIsBoundedAndWithoutOwnCredentials(t *testing.T) {
	url := respond(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "you sent "+r.Header.Get("Sec-WebSocket-Protocol")+" "+strings.Repeat("x", 1<<20))
	})
	err := dialError(t, &ws.Dialer{Subprotocols: []string{"parley.v1", "parley.bearer.c2VjcmV0"}}, url+"?token=secret")
	if len(err.Body) > 1024 || !strings.HasPrefix(err.Body, "you sent parley.v1, parley.bearer....") {
		t.Errorf("%d bytes: %.60q", len(err.Body), err.Body)
	}
	if all := fmt.Sprintf("%+v %s", *err, err); strings.Contains(all, "secret") || strings.Contains(all, "c2VjcmV0") {
		t.Errorf("tells a secret: %s", all)
	}
}

func TestConnectionRefusedIsReported(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	failed := dialError(t, &ws.Dialer{}, "ws://"+addr)
	wantText(t, failed, addr, "connection refused")
	if !errors.Is(failed, syscall.ECONNREFUSED) || failed.Stage != ws.StageConnect {
		t.Errorf("stage %q: %v", failed.Stage, failed)
	}
}

// silent is a server that accepts connections and sends nothing.
func silent(t testing.TB) string {
	t.Helper()
	return rawListener(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}

func TestContextEndsTheDial(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			asked := make(chan struct{})
			url := rawListener(t, func(conn net.Conn) {
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					close(asked)
				}
				_, _ = io.Copy(io.Discard, conn)
			})
			go func() {
				<-asked
				cancel()
			}()
			_, err := new(ws.Dialer).Dial(ctx, scheme+strings.TrimPrefix(url, "ws"))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// cancelingJar ends a dial's context when the server's response has been read.
type cancelingJar struct{ cancel context.CancelFunc }

func (j cancelingJar) SetCookies(*url.URL, []*http.Cookie) { j.cancel() }
func (j cancelingJar) Cookies(*url.URL) []*http.Cookie     { return nil }

func TestContextThatEndsWithTheAnswerStillEndsTheDial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := make(chan *ws.Conn, 1)
	url := respond(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "x", Value: "y"})
		if c, err := new(ws.Upgrader).Upgrade(w, r); err == nil {
			server <- c
		}
	})
	_, err := (&ws.Dialer{Jar: cancelingJar{cancel}}).Dial(ctx, url)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := nextReader(accept(t, server)); err == nil {
		t.Error("the connection is open")
	}
}

func TestExpiredContextIsReportedAsItsDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := new(ws.Dialer).Dial(ctx, silent(t))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestContextThatEndsAfterTheDialDoesNotTouchTheConnection(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	ctx, cancel := context.WithCancel(t.Context())
	client, err := (&ws.Dialer{HandshakeTimeout: time.Minute}).Dial(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(1006, "") })
	server := accept(t, accepted)
	cancel()
	write(t, client, "up")
	write(t, server, "down")
	if read(t, server) != "up" || read(t, client) != "down" {
		t.Error("wrong messages")
	}
}

func TestAnswerThatNeverEndsIsStillReported(t *testing.T) {
	url := respond(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	err := dialError(t, &ws.Dialer{HandshakeTimeout: 100 * time.Millisecond}, url)
	wantText(t, err, "not a WebSocket endpoint: check the URL (HTTP 200 OK)")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("blames the time: %v", err)
	}
}
