package ws_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/transport/ws"
)

// originAllowed reports whether an Upgrader allows a page. The request lacks a
// subprotocol, which is checked after the origin.
func originAllowed(u *ws.Upgrader, r *http.Request, origin string) bool {
	for name, value := range map[string]string{
		"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": rfcKey,
	} {
		r.Header.Set(name, value)
	}
	r.Header["Origin"] = []string{origin}
	w := httptest.NewRecorder()
	_, _ = u.Upgrade(w, r) // never succeeds
	return w.Code == http.StatusBadRequest
}

func TestOnlyPagesOfTheSameOriginMayConnectByDefault(t *testing.T) {
	tests := []struct {
		host, origin string
		over         string // "": HTTP; "tls"; "proxy": a proxy ends TLS and announces it
		allowed      bool
	}{
		{"example.com", "http://example.com", "", true},
		{"example.com:80", "http://example.com", "", true},
		{"example.com", "http://example.com:80", "", true},
		{"EXAMPLE.com", "http://example.COM", "", true},
		{"example.com.", "http://example.com.", "", true},
		{"localhost:8080", "http://localhost:8080", "", true},
		{"localhost:8080", "http://localhost:3000", "", false},
		{"localhost:8080", "http://localhost", "", false},
		{"127.0.0.1:8080", "http://localhost:8080", "", false},
		{"[::1]:8080", "http://[::1]:8080", "", true},
		{"[::1]", "http://[::1]", "", true},
		{"[::1]", "http://[::2]", "", false},
		{"example.com", "http://sub.example.com", "", false},
		{"sub.example.com", "http://example.com", "", false},
		{"example.com", "http://example.com.evil.test", "", false},
		{"example.com", "ftp://example.com", "", false},
		{"example.com", "null", "", false},
		{"example.com", "", "", false},
		{"example.com", "http://", "", false},
		{"example.com", "http://example.com/path", "", false},
		{"example.com", "http://user@example.com", "", false},
		{"example.com", "http://example.com:0", "", false},
		{"example.com", "http://example.com:", "", false},
		{"example.com", "http://example.com:080", "", false},

		{"example.com", "https://example.com", "tls", true},
		{"example.com", "https://example.com:443", "tls", true},
		{"example.com:443", "https://example.com", "tls", true},
		{"example.com:8443", "https://example.com:8443", "tls", true},
		{"example.com:8443", "https://example.com", "tls", false},
		{"example.com", "http://example.com", "tls", false}, // anybody on its network can write that page
		{"example.com:443", "http://example.com:443", "tls", false},

		// TLS may end at a proxy: the browser sees https, the server does not.
		{"example.com", "https://example.com", "", true},
		{"example.com:443", "https://example.com", "", true},
		{"example.com:80", "https://example.com", "", false},
		{"example.com", "https://example.com", "proxy", true},
		{"example.com", "http://example.com", "proxy", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = tt.host
		switch tt.over {
		case "tls":
			r.TLS = &tls.ConnectionState{}
		case "proxy":
			r.Header.Set("X-Forwarded-Proto", "https")
		}
		if got := originAllowed(&ws.Upgrader{}, r, tt.origin); got != tt.allowed {
			t.Errorf("page %q, host %q, over %q: allowed %t", tt.origin, tt.host, tt.over, got)
		}
	}
}

func TestPatternsAllowMoreOrigins(t *testing.T) {
	tests := []struct {
		pattern         string
		allowed, denied []string
	}{
		{"*", []string{"https://a.test", "http://b:1", "null", "file://", "nonsense"}, nil},
		{"null", []string{"null"}, []string{"https://null", "http://a.test"}},
		{"https://a.test", []string{"https://a.test", "HTTPS://A.TEST", "https://a.test:443"},
			[]string{"http://a.test", "https://a.test:8443", "https://b.a.test", "https://a.test.evil", "https://xa.test", "null"}},
		{"https://A.Test:8443", []string{"https://a.test:8443"}, []string{"https://a.test"}},
		{"https://*.a.test", []string{"https://b.a.test", "https://c.b.a.test", "https://b.a.test:443"},
			[]string{"https://a.test", "https://.a.test", "https://ba.test", "https://b.a.test:8443", "http://b.a.test", "https://b.a.test.evil"}},
		{"https://*.a.test:*", []string{"https://b.a.test:1", "https://b.a.test"}, []string{"https://a.test:1"}},
		{"http://localhost:*", []string{"http://localhost", "http://localhost:3000"},
			[]string{"https://localhost", "http://localhost.evil", "http://localhost:x"}},
		{"http://[::1]:*", []string{"http://[::1]:3000"}, []string{"http://[::2]:3000"}},
		{"https://*", []string{"https://a.test", "https://[::1]"}, []string{"http://a.test", "https://a.test:8443", "null"}},
		{"https://*:8443", []string{"https://a.test:8443"}, []string{"https://a.test"}},
		{"https://*:*", []string{"https://a.test:8443", "https://a.test"}, []string{"http://a.test"}},
		{"capacitor://localhost", []string{"capacitor://localhost"}, []string{"http://localhost", "capacitor://localhost:80"}},
		{"chrome-extension://abcdef", []string{"chrome-extension://abcdef"}, []string{"chrome-extension://abcdeg"}},
		{"https://xn--bcher-kva.test", []string{"https://xn--bcher-kva.test"}, []string{"https://bücher.test"}},
	}
	for _, tt := range tests {
		u := &ws.Upgrader{Origins: []string{"https://unrelated.test", tt.pattern}}
		if err := u.Validate(); err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
			continue
		}
		for _, origin := range tt.allowed {
			if !originAllowed(u, httptest.NewRequest(http.MethodGet, "/", nil), origin) {
				t.Errorf("%q denies %q", tt.pattern, origin)
			}
		}
		for _, origin := range tt.denied {
			if originAllowed(u, httptest.NewRequest(http.MethodGet, "/", nil), origin) {
				t.Errorf("%q allows %q", tt.pattern, origin)
			}
		}
	}
}

func TestBadPatternIsNamedAndAdmitsNoOrigin(t *testing.T) {
	for pattern, reason := range map[string]string{
		"":                         "want",
		"example.com":              "scheme://host",
		"*.example.com":            "scheme://host",
		"https://":                 "not a host name",
		"https://a.test/":          "ends after the host",
		"https://a.test/path":      "ends after the host",
		"https://user@a.test":      "no user",
		"https://*a.test":          "whole first label",
		"https://a.*.test":         "whole first label",
		"https://*.*.test":         "whole first label",
		"https://a.test:80*":       "whole first label",
		"*://a.test":               "not a scheme",
		"https://a.test:http":      "not a port",
		"https://a.test:0":         "not a port",
		"https://a.test:65536":     "not a port",
		"https://a.test:":          "no port",
		"https://[::1":             "not a host name",
		"https://*.[::1]":          "no subdomains",
		"https://bücher.test":      "xn--",
		"https://a..test":          "not a host name",
		"https://[::18:]":          "not a host name",
		"https://[1.2.3.4]":        "not a host name",
		"https://[fe80::1%25eth0]": "not a host name",
		"https://a test":           "not a host name",
		"https://a.test https://b": "", // two in one
	} {
		u := &ws.Upgrader{Origins: []string{pattern}}
		err := u.Validate()
		if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), `Origins[0]`) {
			t.Errorf("%q: got %v, want %q", pattern, err, reason)
		}
		if pattern != "" && originAllowed(u, httptest.NewRequest(http.MethodGet, "/", nil), pattern) {
			t.Errorf("%q lets itself in", pattern)
		}
	}
}

// FuzzOriginPattern checks the matcher against net/url and string comparison.
func FuzzOriginPattern(f *testing.F) {
	for _, pattern := range []string{
		"*", "null", "https://a.test", "https://*.a.test:*", "http://localhost:*", "https://*", "https://[::1]:8", "https://*a",
	} {
		for _, origin := range []string{"null", "https://a.test", "https://b.a.test:8443", "http://localhost:3000", "https://[::1]:8", "https://a"} {
			f.Add(pattern, origin)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, value string) {
		u := &ws.Upgrader{Origins: []string{pattern}}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = "server.invalid"
		if !originAllowed(u, r, value) || pattern == "*" || pattern == "null" && value == "null" {
			return
		}
		if err := u.Validate(); err != nil {
			t.Fatalf("%q is no pattern (%v), and allows %q", pattern, err, value)
		}
		o, err := url.Parse(strings.ToLower(value))
		if err != nil || o.Host == "" || o.User != nil || o.Path != "" || o.RawQuery != "" || o.Fragment != "" {
			t.Fatalf("%q allows %q, which is no origin: %v", pattern, value, err)
		}
		if o.Hostname() == "server.invalid" {
			return // the server's own origin
		}
		scheme, host, _ := strings.Cut(strings.ToLower(pattern), "://")
		port := ""
		if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
			host, port = host[:i], host[i+1:]
		}
		defaults := map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}
		if port == "" {
			port = defaults[scheme]
		}
		originPort := o.Port()
		if originPort == "" {
			originPort = defaults[o.Scheme]
		}
		originHost, _, _ := strings.Cut(o.Host, "]")
		if !strings.HasPrefix(o.Host, "[") {
			originHost = o.Hostname()
		} else {
			originHost += "]"
		}
		switch {
		case o.Scheme != scheme:
			t.Fatalf("%q allows the scheme of %q", pattern, value)
		case port != "*" && port != originPort:
			t.Fatalf("%q allows the port of %q", pattern, value)
		case host == "*":
		case strings.HasPrefix(host, "*."):
			if !strings.HasSuffix(originHost, host[1:]) || len(originHost) == len(host[1:]) {
				t.Fatalf("%q allows the host of %q", pattern, value)
			}
		case host != originHost:
			t.Fatalf("%q allows the host of %q", pattern, value)
		}
	})
}
