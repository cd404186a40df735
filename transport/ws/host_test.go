package ws_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// arriving returns a request for a host that was received on a local address.
func arriving(local, host string) *http.Request {
	addr := &net.TCPAddr{IP: net.ParseIP(local), Port: 8080}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(addr)))
}

func TestReboundPageIsRefusedOverLoopback(t *testing.T) {
	for _, c := range []struct {
		local, host string
		allowed     bool
	}{
		{"127.0.0.1", "evil.test:8080", false},
		{"::1", "evil.test:8080", false},
		{"::ffff:127.0.0.1", "evil.test:8080", false},
		{"127.0.0.1", "localhost.evil.test", false},
		{"127.0.0.1", "127.0.0.1.evil.test", false},
		{"127.0.0.1", "notlocalhost", false},
		{"127.0.0.1", "192.0.2.1:8080", false},
		{"127.0.0.1", "localhost:8080", true},
		{"127.0.0.1", "LOCALHOST.", true},
		{"127.0.0.1", "app.localhost:3000", true},
		{"127.0.0.1", "127.1.2.3", true},
		{"127.0.0.1", "[::1]:8080", true},
		{"127.0.0.1", "[0:0:0:0:0:0:0:1]:8080", true},
		{"::1", "[::ffff:127.0.0.1]:8080", true},
		{"192.0.2.1", "evil.test:8080", true}, // only Hosts decides
		{"192.0.2.1", "rpc.example.com", true},
	} {
		if got := originAllowed(&ws.Upgrader{}, arriving(c.local, c.host), "http://"+c.host); got != c.allowed {
			t.Errorf("at %s for %s: allowed %t", c.local, c.host, got)
		}
	}
}

// TestProxyOnTheSameMachineMayHaveAnyName lets a page reach a server on
// loopback in all ways that are not DNS rebinding.
func TestProxyOnTheSameMachineMayHaveAnyName(t *testing.T) {
	const page, host = "http://rpc.example.com", "rpc.example.com"
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"} {
		r := arriving("127.0.0.1", host)
		r.Header.Set(name, "http")
		if !originAllowed(&ws.Upgrader{}, r, page) {
			t.Errorf("%s proves no proxy", name)
		}
	}
	r := arriving("127.0.0.1", host)
	r.TLS = new(tls.ConnectionState)
	if !originAllowed(&ws.Upgrader{}, r, "https://"+host) {
		t.Error("a certificate proves no name")
	}
	for name, u := range map[string]*ws.Upgrader{
		"Hosts":       {Hosts: []string{host}},
		"all hosts":   {Hosts: []string{"*"}},
		"its Origins": {Origins: []string{page}},
	} {
		if !originAllowed(u, arriving("127.0.0.1", host), page) {
			t.Errorf("%s does not let the page in", name)
		}
	}
}

func TestRefusalOfAHostSaysWhatToSet(t *testing.T) {
	for _, u := range []*ws.Upgrader{{}, {Hosts: []string{"other.test"}}} {
		w := httptest.NewRecorder()
		r := arriving("127.0.0.1", "rpc.example.com")
		originAllowed(u, r, "http://rpc.example.com") // completes the request
		if _, err := u.Upgrade(w, r); err == nil || w.Code != http.StatusForbidden {
			t.Errorf("%d, %v", w.Code, err)
		}
		for _, word := range []string{"WithHosts", "--host", `"rpc.example.com"`} {
			if !strings.Contains(w.Body.String(), word) {
				t.Errorf("%s is not in %q", word, w.Body)
			}
		}
	}
}

func TestPagesReachAServerByItsHostsOnly(t *testing.T) {
	for _, c := range []struct {
		pattern         string
		allowed, denied []string
	}{
		{"*", []string{"a.test", "[::1]:1", "nonsense"}, nil},
		{"A.test", []string{"a.test", "a.TEST:8443", "a.test."}, []string{"b.a.test", "xa.test", "a.test.evil", "localhost"}},
		{"*.a.test", []string{"b.a.test", "c.b.a.test:1"}, []string{"a.test", "ba.test", "b.a.test.evil"}},
		{"[::1]", []string{"[::1]", "[0:0::1]:80"}, []string{"[::2]", "localhost"}},
		{"192.0.2.1", []string{"192.0.2.1:80"}, []string{"192.0.2.10"}},
	} {
		u := &ws.Upgrader{Hosts: []string{"unrelated.test", c.pattern}, Origins: []string{"*"}}
		if err := u.Validate(); err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		}
		for i, host := range append(c.allowed, c.denied...) {
			if got := originAllowed(u, arriving("192.0.2.1", host), "https://page.test"); got != (i < len(c.allowed)) {
				t.Errorf("%q and %q: allowed %t", c.pattern, host, got)
			}
		}
	}
}

// TestHostsDoNotConcernProgramsWithoutAPage: such programs send no Origin.
func TestHostsDoNotConcernProgramsWithoutAPage(t *testing.T) {
	r := arriving("127.0.0.1", "anything.test")
	originAllowed(new(ws.Upgrader), r, "") // completes the request
	r.Header.Del("Origin")
	w := httptest.NewRecorder()
	if _, _ = (&ws.Upgrader{Hosts: []string{"other.test"}}).Upgrade(w, r); w.Code != http.StatusBadRequest { // because of the missing subprotocol
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestBadHostIsNamedAndCoversNothing(t *testing.T) {
	for pattern, reason := range map[string]string{
		"":                   "want a host name",
		"http://a.test":      "without a scheme",
		"a.test:80":          "without a port",
		"a.test:":            "no port",
		"a.*.test":           "whole first label",
		"*a.test":            "whole first label",
		"*.":                 "want a host name",
		"*.[::1]":            "no subdomains",
		"::1":                "brackets",
		"[::1":               "brackets",
		"bücher.test":        "xn--",
		"a test":             "want a host name",
		"a.test,b.test":      "want a host name",
		"*.a.test:443":       "without a port",
		"[fe80::1%25eth0]":   "want a host name",
		"https://*.a.test:*": "",
	} {
		u := &ws.Upgrader{Hosts: []string{pattern}}
		err := u.Validate()
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "Hosts[0]") {
			t.Errorf("%q: got %v, want %q", pattern, err, reason)
		}
		if originAllowed(u, arriving("192.0.2.1", pattern), "http://"+pattern) {
			t.Errorf("%q lets itself in", pattern)
		}
	}
}
