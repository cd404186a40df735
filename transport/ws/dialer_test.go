package ws_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

func TestUnusableURLFailsBeforeAnythingIsSent(t *testing.T) {
	d := &ws.Dialer{NetDial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialed")
		return nil, errors.New("dialed")
	}}
	for url, text := range map[string]string{
		"ftp://example.com/":                    `scheme "ftp": want ws or wss`,
		"unix:///tmp/s":                         "a Dialer.NetDial that dials the socket",
		"localhost:8080":                        `scheme "localhost": want ws or wss`,
		"/rpc":                                  `scheme "": want ws or wss`,
		"":                                      `scheme "": want ws or wss`,
		"ws:///rpc":                             "names no host",
		"ws://:8080/rpc":                        "names no host",
		"ws://example.com/#top":                 "no fragment",
		"ws://user:secret@example.com/":         "carries no credentials",
		"ws://user:se/cret@example.com/":        "malformed URL",
		"ws://example.com:http/":                "invalid port",
		"user:secret@example.com":               `scheme "user"`,
		"ws://example.com/%zz":                  "malformed URL",
		"ftp://user:secret@example.com/?secret": `scheme "ftp"`,
	} {
		err := dialError(t, d, url)
		wantText(t, err, text)
		if err.Stage != ws.StageConfig || strings.Contains(fmt.Sprintf("%s %+v", err, *err), "secret") ||
			strings.Contains(err.Error(), "cret@") {
			t.Errorf("%q: stage %q: %v", url, err.Stage, err)
		}
	}
}

func TestInvalidHeaderFailsBeforeAnythingIsSent(t *testing.T) {
	for want, h := range map[string]http.Header{
		`Header: "a b" cannot be the name of a header`:                      {"a b": {"x"}},
		`Header: "" cannot be the name of a header`:                         {"": {"x"}},
		`Header: "X-Grüße" cannot be the name of a header`:                  {"X-Grüße": {"x"}},
		"Header: the value of X-Token has the control character 0x0a at by": {"X-Token": {"fine", "secret\nHost: evil"}},
		"Header: the value of X-Token has the control character 0x00":       {"X-Token": {"\x00secret"}},
		"Header: the value of X-Token has the control character 0x7f":       {"X-Token": {"secret\x7f"}},
	} {
		err := dialError(t, &ws.Dialer{Header: h}, "ws://127.0.0.1:1/")
		wantText(t, err, want)
		if err.Stage != ws.StageConfig || strings.Contains(err.Error(), "secret") {
			t.Errorf("stage %q: %v", err.Stage, err)
		}
	}
}

func TestHeaderInUTF8ArrivesAsItIs(t *testing.T) {
	got := make(chan []string, 1)
	url, accepted := serve(t, &ws.Upgrader{Admit: func(r *http.Request) *ws.RefusalError {
		got <- r.Header["X-Name"]
		return nil
	}})
	want := []string{"Zoë", "\xfc", "tab\tinside"}
	c, err := (&ws.Dialer{Header: http.Header{"X-Name": want}}).Dial(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(transport.CloseNormal, "")
	if values := <-got; !slices.Equal(values, want) {
		t.Errorf("got %q", values)
	}
	accept(t, accepted)
}

func TestHTTPSchemesMeanWebSocket(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	dial(t, "http"+strings.TrimPrefix(url, "ws"))
	accept(t, accepted)
}

func TestDialerNamesTheFieldThatCannotBeUsed(t *testing.T) {
	for want, d := range map[string]*ws.Dialer{
		"HandshakeTimeout":                                        {HandshakeTimeout: -1},
		"ReadLimit":                                               {ReadLimit: -1},
		`Subprotocols[1]: "a b" is not a token`:                   {Subprotocols: []string{"a", "a b"}},
		"Subprotocols[1] is there twice":                          {Subprotocols: []string{"a", "a"}},
		`Subprotocols[0]: "parley.bearer...." is not a token`:     {Subprotocols: []string{"parley.bearer.se=cret"}},
		"Header: sec-websocket-protocol belongs to the handshake": {Header: http.Header{"sec-websocket-protocol": {"x"}}},
		"Header: Upgrade belongs to the handshake":                {Header: http.Header{"Upgrade": {"x"}}},
	} {
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "se=cret") {
			t.Errorf("got %v, want %q", err, want)
		}
		if err := dialError(t, d, "ws://127.0.0.1:1"); err.Stage != ws.StageConfig || !strings.Contains(err.Error(), want) {
			t.Errorf("stage %q: %v", err.Stage, err)
		}
	}
	if err := new(ws.Dialer).Validate(); err != nil {
		t.Error(err)
	}
}

func TestDialSendsHeadersHostAndCookies(t *testing.T) {
	got := make(chan *http.Request, 1)
	wsURL := respond(t, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "fresh", Value: "2"})
		c, err := new(ws.Upgrader).Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		got <- r
		_ = c.Close(1006, "")
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site, err := url.Parse("http" + strings.TrimPrefix(wsURL, "ws"))
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(site, []*http.Cookie{{Name: "session", Value: "1"}})
	header := http.Header{"authorization": {"Bearer x"}, "host": {"virtual.test"}, "X-Two": {"a", "b"}}
	c, err := (&ws.Dialer{Header: header, Jar: jar}).Dial(t.Context(), wsURL+"?q=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close(1006, "")
	r := <-got
	if r.Host != "virtual.test" || r.Header.Get("Authorization") != "Bearer x" || len(r.Header["X-Two"]) != 2 || r.URL.RequestURI() != "/rpc?q=1" {
		t.Errorf("%s %s %v", r.Host, r.URL, r.Header)
	}
	if cookie, err := r.Cookie("session"); err != nil || cookie.Value != "1" {
		t.Errorf("cookie %v, %v", cookie, err)
	}
	if kept := jar.Cookies(site); len(kept) != 2 {
		t.Errorf("jar %v", kept)
	}
}

func TestNetDialMakesTheConnection(t *testing.T) {
	url, accepted := serve(t, &ws.Upgrader{})
	var asked string
	d := &ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = network + " " + addr
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(url, "ws://"))
	}}
	c, err := d.Dial(t.Context(), "ws://parley.test/rpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(1006, "") })
	accept(t, accepted)
	if asked != "tcp parley.test:80" {
		t.Errorf("asked for %q", asked)
	}
}

// closingConn reports that it was closed.
type closingConn struct {
	net.Conn
	closed *atomic.Int32
}

func (c closingConn) Close() error {
	c.closed.Add(1)
	return c.Conn.Close()
}

func TestDialThatFailsClosesItsConnection(t *testing.T) {
	secure, _, _ := serveTLS(t)
	forbidding := respond(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	for stage, url := range map[ws.Stage]string{
		ws.StageTLS:     secure,
		ws.StageProxy:   "ws://parley.invalid",
		ws.StageUpgrade: forbidding,
	} {
		var closed atomic.Int32
		d := &ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return closingConn{conn, &closed}, err
		}}
		if stage == ws.StageProxy {
			d.Proxy = proxyURL(t, "http"+strings.TrimPrefix(forbidding, "ws"), "")
		}
		if err := dialError(t, d, url); err.Stage != stage || closed.Load() == 0 {
			t.Errorf("stage %q, closed %d times: %v", err.Stage, closed.Load(), err)
		}
	}
}
