package rpc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// handshakeFrom is the request of a handshake from an address, with headers of
// the form "name: value".
func handshakeFrom(addr string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/rpc", nil)
	r.RemoteAddr = addr
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// shake makes srv serve a raw dialer whose handshake is r.
func shake(t *testing.T, srv *rpc.Server, r *http.Request, hello frame.Hello) (*raw, frame.Hello) {
	t.Helper()
	return exchangeHello(t, hello, func(l transport.Link) error { return srv.StartHandshake(l, r) })
}

// resumeHello returns the first HELLO that asks to resume the session of a
// server's HELLO.
func resumeHello(serverHello frame.Hello) frame.Hello {
	h := resumable
	h.Session, h.Token, h.Attempt = serverHello.Session, serverHello.Token, 1
	return h
}

func withCertificate(raw string) *http.Request {
	r := handshakeFrom("192.0.2.1:1")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte(raw)}}}
	return r
}

func withQuery(query string) *http.Request {
	r := handshakeFrom("192.0.2.1:1")
	r.URL.RawQuery = query
	return r
}

func asPrincipal(principal string, headers ...string) *http.Request {
	r := handshakeFrom("192.0.2.1:1", headers...)
	return r.WithContext(rpc.WithPrincipal(r.Context(), principal))
}

func TestOnlyAHandshakeThatSaysTheSameResumesASession(t *testing.T) {
	plain := func(headers ...string) *http.Request { return handshakeFrom("192.0.2.1:1", headers...) }
	claims := []rpc.ServerOption{rpc.WithSessionUser(func(r *http.Request) string { return r.Header.Get("X-Claim") })}
	strict := []rpc.ServerOption{rpc.WithSessionHeaders("x-api-key", "Cookie")}
	for _, c := range []struct {
		name            string
		opts            []rpc.ServerOption
		began, resuming *http.Request
		same            bool
	}{
		{"nothing", nil, plain(), plain(), true},
		{"another address", nil, plain(), handshakeFrom("198.51.100.7:9"), true},
		{"the same token", nil, plain("Authorization: Bearer a"), plain("Authorization: Bearer a"), true},
		{"another token", nil, plain("Authorization: Bearer a"), plain("Authorization: Bearer b"), false},
		{"no token any more", nil, plain("Authorization: Bearer a"), plain(), false},
		{"a token that was not there", nil, plain(), plain("Authorization: Bearer a"), false},
		{"one token of two", nil, plain("Authorization: a", "Authorization: b"), plain("Authorization: a"), false},
		{"a value that spans two", nil, plain("Authorization: a", "Authorization: b"), plain("Authorization: a, b"), false},
		{"the same cookies, in another order", nil, plain("Cookie: a=1; b=2"), plain("Cookie: b=2", "Cookie: a=1"), true},
		{"a further cookie", nil, plain("Cookie: user=alice"), plain("Cookie: x=7; user=alice"), true},
		{"another server of the balancer", nil, plain("Cookie: parley=a; AWSALB=x; user=alice"), plain("Cookie: parley=b; AWSALB=y; user=alice"), true},
		{"a cookie named much like a balancer's", nil, plain("Cookie: lbx=alice"), plain("Cookie: lbx=mallory"), false},
		{"a balancer's cookie that is named", []rpc.ServerOption{rpc.WithSessionCookies("lb")}, plain("Cookie: lb=a"), plain("Cookie: lb=b"), false},
		{"a cookie that is missing", nil, plain("Cookie: user=alice; x=7"), plain("Cookie: x=7"), false},
		{"another value of a cookie", nil, plain("Cookie: user=alice"), plain("Cookie: user=mallory"), false},
		{"a cookie under another name", nil, plain("Cookie: user=alice"), plain("Cookie: name=alice"), false},
		{"a malformed cookie that differs", nil, plain("Cookie: a b\x01=alice"), plain("Cookie: a b\x01=mallory"), false},
		{"a certificate", nil, withCertificate("alice"), withCertificate("alice"), true},
		{"another certificate", nil, withCertificate("alice"), withCertificate("mallory"), false},
		{"no certificate", nil, withCertificate("alice"), plain(), false},
		{"another query", nil, withQuery("ticket=1"), withQuery("ticket=2"), false},
		{"a header that nobody has named", nil, plain("X-Api-Key: a"), plain("X-Api-Key: b"), true},
		{"a header of the options", strict, plain("X-Api-Key: a"), plain("X-Api-Key: a"), true},
		{"another value of it", strict, plain("X-Api-Key: a"), plain("X-Api-Key: b"), false},
		{"cookies keep their rule as a header", strict, plain("Cookie: a=1"), plain("Cookie: a=1; x=7"), true},
		{"only one cookie counts", []rpc.ServerOption{rpc.WithSessionCookies("user")}, plain("Cookie: user=a; _ga=1"), plain("Cookie: _ga=2; user=a"), true},
		{"and differs", []rpc.ServerOption{rpc.WithSessionCookies("user")}, plain("Cookie: user=a; _ga=1"), plain("Cookie: _ga=1; user=b"), false},
		{"no cookie counts", []rpc.ServerOption{rpc.WithSessionCookies()}, plain("Cookie: user=a"), plain(), true},
		{"the principal", nil, asPrincipal("alice", "Authorization: a", "Cookie: a=1"), asPrincipal("alice", "Authorization: b"), true},
		{"another principal", nil, asPrincipal("alice", "Authorization: a"), asPrincipal("mallory", "Authorization: a"), false},
		{"no principal any more", nil, asPrincipal("alice"), plain(), false},
		{"a principal that was not there", nil, plain(), asPrincipal("alice"), false},
		{"a user who is claimed", claims, plain("X-Claim: alice", "Authorization: a"), plain("X-Claim: alice", "Authorization: b"), true},
		{"another who is claimed", claims, plain("X-Claim: alice"), plain("X-Claim: mallory"), false},
		{"nobody is claimed", claims, plain("Authorization: a"), plain("Authorization: b"), false},
		{"a claim where there was a principal", claims, asPrincipal("alice"), plain("X-Claim: alice"), false},
		{"a principal where there was a claim", claims, plain("X-Claim: alice"), asPrincipal("alice"), false},
		{"many cookies", nil, plain(manyCookies(100)), plain(manyCookies(100)), true},
		{"one of many differs", nil, plain(manyCookies(100)), plain(manyCookies(101)), false},
	} {
		srv := rpc.NewServer(c.opts...)
		if got := srv.SameIdentity(c.began, c.resuming); got != c.same {
			t.Errorf("%s: %t, want %t", c.name, got, c.same)
		}
		if other := rpc.NewServer(c.opts...); !other.SameIdentity(c.began, c.began) {
			t.Errorf("%s: it is not the same as itself", c.name)
		}
		_ = srv.Close()
	}
}

func manyCookies(n int) string {
	var b strings.Builder
	b.WriteString("Cookie: n=" + fmt.Sprint(n))
	for i := range n {
		fmt.Fprintf(&b, "; c%d=%d", i, i)
	}
	return b.String()
}

func TestWhatIsKeptOfAHandshakesIdentityIsBounded(t *testing.T) {
	srv := rpc.NewServer(rpc.WithSessionHeaders("X-Long"))
	defer srv.Close()
	for name, r := range map[string]*http.Request{
		"10,000 cookies": handshakeFrom("192.0.2.1:1", manyCookies(10_000)),
		"64 cookies":     handshakeFrom("192.0.2.1:1", manyCookies(63)),
		"long headers":   handshakeFrom("192.0.2.1:1", "Authorization: "+strings.Repeat("a", 1<<19), "X-Long: "+strings.Repeat("b", 1<<19)),
	} {
		if n := srv.IdentityLen(r); n > 1+32+64*16 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}

// users is middleware that reads the Authorization header, or a cookie, and
// names no principal.
var users = map[string]struct {
	user func(*http.Request) string
	as   func(user string) http.Header
}{
	"Authorization": {
		func(r *http.Request) string { return r.Header.Get("Authorization") },
		func(user string) http.Header { return http.Header{"Authorization": {user}} },
	},
	"a cookie": {
		func(r *http.Request) string {
			if c, err := r.Cookie("user"); err == nil {
				return c.Value
			}
			return ""
		},
		func(user string) http.Header { return http.Header{"Cookie": {"theme=dark; user=" + user}} },
	},
}

// TestSecondUserCannotResumeTheFirstOnesSession has a second user who knows the
// token, behind middleware that names no principal.
func TestSecondUserCannotResumeTheFirstOnesSession(t *testing.T) {
	for name, by := range users {
		t.Run(name, func(t *testing.T) {
			srv := rpc.NewServer()
			register(srv, unary, whoami())
			var who atomic.Value
			who.Store("alice")
			url, wires := serveWires(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				srv.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, by.user(r))))
			}))
			t.Cleanup(func() { _ = srv.Close() })
			back := make(chan struct{}, 1)
			client := newClient(t, url, resumptions(back), rpc.WithCredentials(func(context.Context) (http.Header, error) {
				return by.as(who.Load().(string)), nil
			}))
			conn, err := client.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			wantUser(t, conn, "alice ")
			who.Store("mallory")
			wires.cut()
			select {
			case <-conn.Done():
			case <-back:
				t.Fatal("mallory has resumed alice's session")
			}
			wantError(t, conn.Err(), rpc.CodeUnavailable)
			got, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), client, unary, text(""), rpc.WithWaitForReady())
			if err != nil || got.Value != "mallory " {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestCookieThatABalancerSetsDoesNotEndResumption: the first response sets the
// cookie, so the next handshake has it, but the first one had not.
func TestCookieThatABalancerSetsDoesNotEndResumption(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, unary, whoami())
	url, wires := serveWires(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("server"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "server", Value: "a"})
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { _ = srv.Close() })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	back := make(chan struct{}, 1)
	client := newClient(t, url, rpc.WithCookieJar(jar), rpc.WithHTTPHeader(http.Header{"Cookie": {"user=alice"}}), resumptions(back))
	wantUser(t, client, " ")
	for range 2 {
		wires.cut()
		<-back
		wantUser(t, client, " ")
	}
}

// TestRefreshedTokenOfTheSameUserResumes has middleware that names the
// principal.
func TestRefreshedTokenOfTheSameUserResumes(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, unary, whoami())
	url, wires := serveWires(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Header.Get("Authorization"), "-")
		srv.ServeHTTP(w, r.WithContext(rpc.WithPrincipal(r.Context(), name)))
	}))
	t.Cleanup(func() { _ = srv.Close() })
	var n atomic.Int32
	back := make(chan struct{}, 1)
	client := newClient(t, url, resumptions(back), rpc.WithCredentials(func(context.Context) (http.Header, error) {
		return http.Header{"Authorization": {fmt.Sprint("alice-", n.Add(1))}}, nil
	}))
	wantUser(t, client, " alice")
	conn, err := client.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := conn.Peer()
	wires.cut()
	<-back
	wantUser(t, client, " alice")
	if after := conn.Peer(); after.LocalAddr.String() == before.LocalAddr.String() {
		t.Errorf("the peer is still that of the link from %v", after.LocalAddr)
	}
}

// TestAnotherUsersHandshakeEndsNoSession: not even in another server of the
// process, although it names the session and its token as the one to replace.
func TestAnotherUsersHandshakeEndsNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, other := echoServer(), echoServer()
		defer other.Close()
		alice, mallory := handshakeFrom("192.0.2.1:1", "Cookie: user=alice"), handshakeFrom("192.0.2.1:2", "Cookie: user=mallory")
		_, serverHello := shake(t, srv, alice, resumable)
		replacing := resumable
		replacing.Replaces, replacing.ReplacesToken = serverHello.Session, serverHello.Token
		for _, s := range []*rpc.Server{srv, other} {
			p, _ := shake(t, s, mallory, replacing)
			synctest.Wait()
			if n := srv.Connections(); s == other && n != 1 || s == srv && n != 2 {
				t.Errorf("%d connections", n)
			}
			_ = p.link.Close(transport.CloseNormal, "")
			synctest.Wait()
		}
		shake(t, other, alice, replacing)
		synctest.Wait()
		if n := srv.Connections(); n != 0 {
			t.Errorf("%d connections after the user has replaced hers", n)
		}
		_ = srv.Close()
	})
}

// TestPeerIsThatOfTheLatestLink checks calls, the log and the application.
func TestPeerIsThatOfTheLatestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		conns := make(chan *rpc.Conn, 1)
		srv := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) { conns <- c }),
			rpc.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		defer srv.Close()
		seen := make(chan *rpc.Peer, 2)
		register(srv, unary, rpc.UnaryHandler(func(ctx context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			seen <- rpc.FromContext(ctx).Peer
			return in, nil
		}))
		call := func(p *raw, id uint64) *rpc.Peer {
			p.write(openFrame(id, block(methodField(unary))), dataFrame(id, frame.FlagEnd, encoded(t, "who?")))
			return <-seen
		}
		p, serverHello := shake(t, srv, handshakeFrom("192.0.2.1:1", "X-Device: home"), resumable)
		conn := <-conns
		before := call(p, 1)
		p.link.Cut()
		synctest.Wait()
		p, answer := shake(t, srv, handshakeFrom("198.51.100.7:2", "X-Device: train"), resumeHello(serverHello))
		if answer.Answer != frame.SessionResumed {
			t.Fatalf("answer %d", answer.Answer)
		}
		after := call(p, 3)
		for _, c := range []struct {
			what         string
			peer         *rpc.Peer
			addr, device string
		}{
			{"the call before", before, "192.0.2.1:1", "home"},
			{"the call after", after, "198.51.100.7:2", "train"},
			{"the connection", conn.Peer(), "198.51.100.7:2", "train"},
		} {
			if addr, device := c.peer.Addr.String(), c.peer.Header.Get("X-Device"); addr != c.addr || device != c.device {
				t.Errorf("%s: %s, %s", c.what, addr, device)
			}
		}
		synctest.Wait()
		p.link.Cut()
		synctest.Wait()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, "connection detached") || !strings.Contains(last, "peer=198.51.100.7:2") {
			t.Errorf("the log ends with %s", last)
		}
	})
}
