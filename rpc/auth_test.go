package rpc_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport/ws"
)

type userKey struct{}

// byToken accepts clients with "Bearer <name>-token", as that name.
func byToken(r *http.Request) (context.Context, error) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "-token")
	switch {
	case name == "db":
		return nil, errors.New("dial tcp 10.0.0.1:5432: refused")
	case name == "banned":
		return nil, rpc.Errorf(rpc.CodePermissionDenied, "go away")
	case name == "late":
		return nil, fmt.Errorf("the door is closed: %w", rpc.Errorf(rpc.CodePermissionDenied, "go away"))
	case name == "anonymous":
		return r.Context(), nil
	case !ok:
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "who are you?")
	}
	return rpc.WithPrincipal(context.WithValue(r.Context(), userKey{}, strings.ToUpper(name)), name), nil
}

// whoami responds with what a handler knows of its caller.
func whoami() rpc.Handler {
	return rpc.UnaryHandler(func(ctx context.Context, _ *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		user, _ := ctx.Value(userKey{}).(string)
		return text(user + " " + rpc.Principal(ctx)), ctx.Err()
	})
}

func serveUsers(t *testing.T) (url string, w *wires) {
	t.Helper()
	srv := rpc.NewServer(rpc.WithAuthentication(byToken), rpc.WithOrigins("https://page.test"))
	register(srv, unary, whoami())
	url, w = serveWires(t, srv)
	t.Cleanup(func() { _ = srv.Close() })
	return url, w
}

func authorization(token string) rpc.ClientOption {
	return rpc.WithHTTPHeader(http.Header{"Authorization": {"Bearer " + token}})
}

func TestHandlersSeeWhoHasAuthenticated(t *testing.T) {
	url, _ := serveUsers(t)
	got, err := converse(t.Context(), dial(t, url, authorization("alice-token")), unary, []string{""})
	if err != nil || !slices.Equal(got, []string{"ALICE alice"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestAuthenticationSeesEveryWayToShowCredentials checks that the hook sees the
// credentials of the request. Those of TLS are in certificate_test.go.
func TestAuthenticationSeesEveryWayToShowCredentials(t *testing.T) {
	type sight struct{ authorization, cookie, protocols, query string }
	seen := make(chan sight, 1)
	srv := rpc.NewServer(rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		s := sight{authorization: r.Header.Get("Authorization"), protocols: r.Header.Get("Sec-WebSocket-Protocol"), query: r.URL.RawQuery}
		if c, err := r.Cookie("session"); err == nil {
			s.cookie = c.Value
		}
		seen <- s
		return r.Context(), nil
	}))
	t.Cleanup(func() { _ = srv.Close() })
	url, _ := serveWires(t, srv)
	const bearer = "parley.bearer."
	for name, c := range map[string]struct {
		dialer ws.Dialer
		query  string
		want   sight
	}{
		"Authorization": {ws.Dialer{Header: http.Header{"Authorization": {"Bearer alice-token"}}}, "",
			sight{authorization: "Bearer alice-token", protocols: "parley.v1"}},
		"a cookie": {ws.Dialer{Header: http.Header{"Cookie": {"theme=dark; session=alice-session"}}}, "",
			sight{cookie: "alice-session", protocols: "parley.v1"}},
		"the subprotocol of scripts": {ws.Dialer{Subprotocols: []string{"parley.v1", bearer + base64.RawURLEncoding.EncodeToString([]byte("alice-token"))}}, "",
			sight{authorization: "Bearer alice-token", protocols: "parley.v1"}},
		"a cookie and the subprotocol": {ws.Dialer{
			Header:       http.Header{"Cookie": {"session=alice-session"}},
			Subprotocols: []string{bearer + base64.RawURLEncoding.EncodeToString([]byte("alice-token")), "parley.v1"},
		}, "", sight{authorization: "Bearer alice-token", cookie: "alice-session", protocols: "parley.v1"}},
		"the query": {ws.Dialer{}, "ticket=1", sight{query: "ticket=1", protocols: "parley.v1"}},
		"nothing":   {ws.Dialer{}, "", sight{protocols: "parley.v1"}},
	} {
		link, err := c.dialer.Dial(t.Context(), url+"/?"+c.query)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := <-seen; got != c.want {
			t.Errorf("%s: the hook sees %+v, want %+v", name, got, c.want)
		}
		_ = link.Close(1000, "")
	}
}

func TestCredentialOfAScriptAuthenticatesIt(t *testing.T) {
	url, _ := serveUsers(t)
	for token, let := range map[string]bool{"alice-token": true, "alice": false} {
		protocols := []string{"parley.v1", "parley.bearer." + base64.RawURLEncoding.EncodeToString([]byte(token))}
		c, err := (&ws.Dialer{Subprotocols: protocols}).Dial(t.Context(), url)
		if (err == nil) != let {
			t.Errorf("%s: %v", token, err)
		}
		if err == nil {
			_ = c.Close(1000, "")
		}
	}
}

func TestRefusedCredentialsAreAnHTTPStatus(t *testing.T) {
	url, _ := serveUsers(t)
	for token, want := range map[string]struct {
		status int
		code   rpc.Code
		body   string
	}{
		"":             {401, rpc.CodeUnauthenticated, "who are you?\n"},
		"banned-token": {403, rpc.CodePermissionDenied, "go away\n"},
		"late-token":   {403, rpc.CodePermissionDenied, "the door is closed: go away\n"},
		"db-token":     {500, rpc.CodeUnavailable, "the server could not authenticate the client\n"},
	} {
		_, err := rpc.Dial(t.Context(), url, authorization(token))
		wantError(t, err, want.code)
		var failed *ws.HandshakeError
		if !errors.As(err, &failed) || failed.Status != want.status || failed.Body != want.body {
			t.Errorf("%q: %+v", token, failed)
		}
		if (failed.Header.Get("WWW-Authenticate") != "") != (want.status == 401) {
			t.Errorf("%q: WWW-Authenticate %q", token, failed.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestRefusedCredentialsOfAPageAreACloseCode(t *testing.T) {
	url, _ := serveUsers(t)
	for token, want := range map[string]int{"": 4016, "banned-token": 4007, "db-token": 4002} {
		if code, _ := dialAsPage(t, url, "https://page.test", "Bearer "+token); code != want {
			t.Errorf("%q: close code %d, want %d", token, code, want)
		}
	}
}

func TestPageOfAnotherOriginIsRefusedBeforeItIsAuthenticated(t *testing.T) {
	url, _ := serveUsers(t)
	if _, status := dialAsPage(t, url, "https://evil.test", "Bearer alice-token"); status != 403 {
		t.Errorf("status %d", status)
	}
}

// dialAsPage makes the handshake of a script in a browser. It returns the code
// with which the link is closed, or the HTTP status of the refusal.
func dialAsPage(t *testing.T, url, origin, authorization string) (closeCode, status int) {
	t.Helper()
	host := strings.TrimPrefix(url, "ws://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nAuthorization: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: parley.v1\r\n\r\n", host, origin, authorization, key)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return 0, resp.StatusCode
	}
	if resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Fatal("the handshake is not answered as it must be")
	}
	var head [4]byte // FIN and close, the length, the code
	if _, err := io.ReadFull(r, head[:]); err != nil || head[0] != 0x88 {
		t.Fatalf("frame %x, %v", head, err)
	}
	return int(binary.BigEndian.Uint16(head[2:])), resp.StatusCode
}

// resumptions counts how often a client's session is resumed.
func resumptions(n chan<- struct{}) rpc.ClientOption {
	return rpc.OnResumed(func(*rpc.Conn) { n <- struct{}{} })
}

func TestConnectionIsResumedByItsPrincipalWithOtherCredentials(t *testing.T) {
	url, wires := serveUsers(t)
	back := make(chan struct{}, 1)
	client := rpc.NewClient(url, authorization("alice-token"), resumptions(back))
	t.Cleanup(func() { _ = client.Close() })
	if _, err := converse(t.Context(), client, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	wires.cut()
	<-back
	if got, err := converse(t.Context(), client, unary, []string{""}); err != nil || got[0] != "ALICE alice" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestConnectionWithoutAnIdentityIsNotResumed(t *testing.T) {
	url, wires := serveUsers(t)
	gap := make(chan error, 1)
	client := rpc.NewClient(url, authorization("anonymous-token"), rpc.OnSessionLost(func(_ *rpc.Conn, err error) { gap <- err }))
	t.Cleanup(func() { _ = client.Close() })
	if got, err := converse(t.Context(), client, unary, []string{""}); err != nil || got[0] != " " {
		t.Fatalf("%q, %v", got, err)
	}
	wires.cut()
	wantError(t, <-gap, rpc.CodeUnavailable)
}

func TestAuthenticationThatPanicsLeavesNothingBehind(t *testing.T) {
	srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxConnections: 1}), rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		if r.Header.Get("Authorization") == "" {
			panic(http.ErrAbortHandler)
		}
		return r.Context(), nil
	}))
	t.Cleanup(func() { _ = srv.Close() })
	web := httptest.NewServer(srv)
	t.Cleanup(web.Close)
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	if _, err := rpc.Dial(t.Context(), url); err == nil {
		t.Fatal("let in")
	}
	dial(t, url, authorization("anyone"))
}
