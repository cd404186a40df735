package ws_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

func TestPageWithoutTLSIsAnotherOriginBehindAProxyWithTLS(t *testing.T) {
	for _, c := range []struct {
		header, value string
		allowed       bool // a page of http
	}{
		{"X-Forwarded-Proto", "https", false},
		{"X-Forwarded-Proto", "HTTPS", false},
		{"X-Forwarded-Proto", "wss", false}, // Traefik
		{"X-Forwarded-Proto", "https, http", false},
		{"X-Forwarded-Proto", " wss ,ws", false},
		{"X-Forwarded-Proto", "http", true},
		{"X-Forwarded-Proto", "ws", true},
		{"X-Forwarded-Proto", "http, https", true}, // TLS between proxies only
		{"X-Forwarded-Proto", "", true},
		{"Forwarded", "for=192.0.2.1;proto=https;host=example.com", false},
		{"Forwarded", `for="[2001:db8::1]:47,11;x"; Proto="https"`, false},
		{"Forwarded", `for="a\"b;proto=http";proto=wss, proto=http`, false},
		{"Forwarded", "proto=https, proto=http", false},
		{"Forwarded", "proto=http, proto=https", true},
		{"Forwarded", "for=192.0.2.1", true},
		{"Forwarded", `for="proto=https`, true},
	} {
		for page, allowed := range map[string]bool{"http://example.com": c.allowed, "https://example.com": true} {
			r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
			r.Header.Set(c.header, c.value)
			if got := originAllowed(&ws.Upgrader{}, r, page); got != allowed {
				t.Errorf("%s: %q: a page of %s is allowed: %t", c.header, c.value, page, got)
			}
		}
	}
}

func TestSecureOriginLetsNoPageInThatHasNoTLS(t *testing.T) {
	u := &ws.Upgrader{SecureOrigin: true}
	for page, allowed := range map[string]bool{"http://example.com": false, "https://example.com": true} {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
		if got := originAllowed(u, r, page); got != allowed {
			t.Errorf("a page of %s is allowed: %t", page, got)
		}
	}
	u.Origins = []string{"http://example.com"}
	if !originAllowed(u, httptest.NewRequest(http.MethodGet, "http://example.com/", nil), "http://example.com") {
		t.Error("what Origins names is not allowed")
	}
}

// FuzzForwardedOrigin checks which pages count as the server's own origin.
func FuzzForwardedOrigin(f *testing.F) {
	for _, proto := range []string{"", "https", "wss", "https, http", "http,https", " WSS\t, x"} {
		for _, forwarded := range []string{"", "proto=https", `for="a;b";proto="https"`, "proto=http, proto=https", `"`, `x="\`} {
			f.Add(proto, forwarded, "http://example.com", "example.com", false)
			f.Add(proto, forwarded, "https://example.com", "example.com", true)
			f.Add(proto, forwarded, "http://[::1]:8080", "[::1]:8080", false)
		}
	}
	f.Fuzz(func(t *testing.T, proto, forwarded, page, host string, overTLS bool) {
		ask := func(u *ws.Upgrader) bool {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = host
			r.Header["X-Forwarded-Proto"], r.Header["Forwarded"] = []string{proto}, []string{forwarded}
			if overTLS {
				r.TLS = &tls.ConnectionState{}
			}
			return originAllowed(u, r, page)
		}
		scheme, site, _ := strings.Cut(strings.ToLower(page), "://")
		if ask(&ws.Upgrader{SecureOrigin: true}) && scheme != "https" {
			t.Fatalf("a page of %q is let in, though the origin has TLS", page)
		}
		if !ask(&ws.Upgrader{}) {
			return
		}
		name := func(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, ":443"), ":80") }
		if scheme != "http" && scheme != "https" || name(site) != name(strings.ToLower(host)) {
			t.Fatalf("a page of %q is let in to %q", page, host)
		}
		if scheme == "https" {
			return
		}
		first, _, _ := strings.Cut(strings.ToLower(proto), ",")
		if first = strings.Trim(first, " \t"); overTLS || first == "https" || first == "wss" {
			t.Fatalf("a page of %q is let in: X-Forwarded-Proto: %q, TLS: %t", page, proto, overTLS)
		}
		if simple := strings.ToLower(forwarded); strings.HasPrefix(simple, "proto=https") && strings.Trim(simple[11:], " \t;,") == "" {
			t.Fatalf("a page of %q is let in: Forwarded: %q", page, forwarded)
		}
	})
}
