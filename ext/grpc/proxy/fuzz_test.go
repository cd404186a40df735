package proxy

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// nothing is a backend that is never called.
type nothing struct{ grpc.ClientConnInterface }

// spelled returns the canonical spelling of all keys that a backend may take
// for key.
func spelled(key string) string {
	key = strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(key))
	for {
		short, more := strings.CutSuffix(key, "-bin")
		if !more {
			return key
		}
		key = short
	}
}

// FuzzHeaderRules checks what reaches a backend. A call cannot set keys that
// are forwarded from the handshake, denied, or set by proxies, in any spelling.
// Invalid metadata does not pass. Forwarded keys have the value of the
// handshake.
func FuzzHeaderRules(f *testing.F) {
	for _, key := range []string{
		"x-user", "X_User", "x.user-bin", "x-forwarded-for", "X-REAL_IP", "x-real-ip-bin", "forwarded", "authorization", "te", "host", "x-a-b", "grüße", "", "-bin",
	} {
		f.Add(key, "x-user", "", "x-a-*", "mallory", false)
		f.Add(key, "authorization", "x-forwarded-host", "x-a", "Bearer me", true)
		f.Add(key, "x-data-bin", "x-*", "*", "AP8=", false)
	}
	f.Fuzz(func(t *testing.T, key, forward, allow, deny, value string, callAuthorization bool) {
		r := HeaderRules{CallAuthorization: callAuthorization, Forward: []string{forward}}
		if allow != "" {
			r.Allow = []string{allow}
		}
		if deny != "" {
			r.Deny = []string{deny}
		}
		if r.Validate() != nil {
			return
		}
		handshake := make(http.Header)
		handshake.Set(forward, value)
		md := metadata.MD{key: {"call"}}
		newHeaders(r).apply(md, handshake)
		md = passing(md)
		fromCall := false
		for k, values := range md {
			if !ValidKey(k) || k != strings.ToLower(k) {
				t.Fatalf("%q reaches the backend", k)
			}
			for _, v := range values {
				fromCall = fromCall || v == "call" && value != "call"
			}
		}
		if !fromCall {
			return
		}
		name, own := spelled(key), callAuthorization && strings.EqualFold(key, "authorization")
		if name == spelled(forward) && !own {
			t.Fatalf("%q of a call passes, though %q is forwarded", key, forward)
		}
		start, many := strings.CutSuffix(strings.ToLower(deny), "*")
		exactly := allow != "" && strings.HasPrefix(strings.ToLower(key), strings.TrimSuffix(strings.ToLower(allow), "*"))
		if deny != "" && !exactly && (many && strings.HasPrefix(strings.ToLower(key), start) || strings.EqualFold(key, deny)) {
			t.Fatalf("%q passes, though %q is denied", key, deny)
		}
		for _, said := range []string{"x-forwarded-for", "x-real-ip", "forwarded", "x-auth-request-user", "true-client-ip", "remote-user"} {
			if name == said && !exactly {
				t.Fatalf("%q passes, which is a proxy's to say", key)
			}
		}
	})
}
