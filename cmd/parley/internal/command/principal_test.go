package command_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-rpc/parley/cmd/parley/internal/command"
	"github.com/parley-rpc/parley/rpc"
)

// cable is a client's network, which can be cut.
type cable struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// page is a client with changing credentials, at a gateway that forwards them.
type page struct {
	*rpc.Client
	cable  cable
	header atomic.Value  // http.Header of the next handshake
	back   chan struct{} // receives when it has resumed
}

func openPage(t *testing.T, header http.Header, flags ...string) *page {
	t.Helper()
	g := serve(t, append([]string{"gateway", "--listen", "127.0.0.1:0", "--drain", "100ms", "--backend", listen(t, &tester{})}, flags...)...)
	p := &page{back: make(chan struct{}, 10)}
	p.header.Store(header)
	p.Client = dial(t, g.url, rpc.WithNetDial(p.cable.dial), rpc.OnResumed(func(*rpc.Conn) { p.back <- struct{}{} }),
		rpc.WithCredentials(func(context.Context) (http.Header, error) { return p.header.Load().(http.Header), nil }))
	return p
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// TestPageThatSwitchesAccountsDoesNotGoOnAsTheOldOne breaks the link after the
// switch.
func TestPageThatSwitchesAccountsDoesNotGoOnAsTheOldOne(t *testing.T) {
	for name, c := range map[string]struct {
		flags      []string
		alice, bob http.Header
		key, want  string
	}{
		"tokens":          {[]string{"--forward", "authorization"}, bearer("alice"), bearer("bob"), "authorization", "Bearer bob"},
		"cookies":         {[]string{"--forward", "cookie"}, http.Header{"Cookie": {"user=alice"}}, http.Header{"Cookie": {"user=bob"}}, "cookie", "user=bob"},
		"another header":  {[]string{"--forward", "x-key"}, http.Header{"X-Key": {"alice"}}, http.Header{"X-Key": {"bob"}}, "x-key", "bob"},
		"a named account": {[]string{"--forward", "authorization", "--principal-claim", "sub"}, bearer(token("alice", 1)), bearer(token("bob", 1)), "authorization", "Bearer " + token("bob", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			p := openPage(t, c.alice, c.flags...)
			conn, err := p.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := said(t, p, c.key); err != nil { // before the first response there is nothing to resume
				t.Fatal(err)
			}
			p.header.Store(c.bob)
			p.cable.cut()
			select {
			case <-conn.Done():
			case <-p.back:
				t.Fatal("the connection was resumed for another user")
			}
			if _, err := p.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := said(t, p, c.key); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// token is a JWT for a user, the nth of it.
func token(user string, n int) string {
	return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"sub":%q,"jti":"%d"}`, user, n)) + ".c2ln"
}

// TestRefreshedTokenResumesWhereTheGatewayNamesThePrincipal, and calls have the
// new token.
func TestRefreshedTokenResumesWhereTheGatewayNamesThePrincipal(t *testing.T) {
	withUser := func(token string) http.Header {
		h := bearer(token)
		h.Set("X-User", "alice")
		return h
	}
	for name, c := range map[string]struct {
		flags      []string
		first, now http.Header
	}{
		"a claim":        {[]string{"--principal-claim", "sub"}, bearer(token("alice", 1)), bearer(token("alice", 2))},
		"a header":       {[]string{"--principal-header", "X-User"}, withUser("one"), withUser("two")},
		"another cookie": {[]string{"--session-cookie", "login"}, http.Header{"Cookie": {"seen=1; login=alice"}}, http.Header{"Cookie": {"login=alice; seen=2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := openPage(t, c.first, append(c.flags, "--forward", "authorization", "--forward", "cookie")...)
			if _, err := said(t, p, "cookie"); err != nil {
				t.Fatal(err)
			}
			p.header.Store(c.now)
			p.cable.cut()
			<-p.back
			for _, key := range []string{"authorization", "cookie"} {
				if got, err := said(t, p, key); err != nil || got != c.now.Get(key) {
					t.Errorf("%s: %q, %v; want %q", key, got, err, c.now.Get(key))
				}
			}
		})
	}
}

func TestOnlyOneFlagNamesThePrincipal(t *testing.T) {
	var log strings.Builder
	code := command.Run(t.Context(), []string{"gateway", "--backend", "localhost:1", "--principal-header", "X-User", "--principal-claim", "sub"},
		command.Streams{In: strings.NewReader(""), Out: &log, Err: &log})
	if code != 2 || !strings.Contains(log.String(), "give one of them") {
		t.Errorf("exit code %d: %s", code, &log)
	}
}
