package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
)

// HeaderRules says which metadata a backend gets: of the handshake, whose headers a
// proxy in front may vouch for, and of the call, whose metadata is the caller's own word.
// A page can write the latter, but not the former.
//
// With the zero value nothing of the handshake passes, and of the call all but what
// proxies say of a caller (x-forwarded-*, x-real-ip, x-auth-request-*, cf-*, ...: see
// docs/gateway.md).
//
// A rule that keeps a key out holds for every spelling that a backend could take for it:
// in any case, with "_" or "." for "-", and with "-bin" behind it.
type HeaderRules struct {
	// Forward names the headers of the handshake that backends get as metadata. A call
	// cannot have them, not even where the handshake has none.
	Forward []string
	// Allow and Deny are patterns of keys of calls: a key, or its beginning and a "*". Of
	// those that fit a key the longest counts, and of two that are equally long that of
	// Deny. To let in what proxies say, Allow has to be as precise as the built-in
	// pattern: "x-forwarded-host" or "x-forwarded-*", not "x-*".
	Allow, Deny []string
	// CallAuthorization has the "authorization" of a call, where it has one, replace that
	// of the handshake. Without it a call can have neither "authorization" nor "cookie" if
	// one of them is forwarded: the handshake says who calls. If none of them is
	// forwarded, both pass.
	CallAuthorization bool
}

// Validate names the first element that cannot be used.
func (r HeaderRules) Validate() error {
	for _, name := range r.Forward {
		if !ValidKey(name) {
			return fmt.Errorf("HeaderRules.Forward: %q: gRPC has no such metadata, or has it for itself", name)
		}
	}
	for field, patterns := range map[string][]string{"Allow": r.Allow, "Deny": r.Deny} {
		for _, p := range patterns {
			if !ValidPattern(p) {
				return fmt.Errorf("HeaderRules.%s: %q is neither a key of metadata nor the beginning of one with * behind it", field, p)
			}
		}
	}
	return nil
}

// ValidPattern reports whether HeaderRules can have a pattern: a name that ValidKey
// accepts, the beginning of one with "*" behind it, or "*".
func ValidPattern(pattern string) bool {
	start, _ := strings.CutSuffix(pattern, "*")
	return pattern == "*" || ValidKey(start)
}

// headers applies HeaderRules.
type headers struct {
	forward           []string        // keys, in lower case
	handshake         map[string]bool // names, as canonical has them, that no call can have
	allow, deny       patterns
	callAuthorization bool
}

func newHeaders(r HeaderRules) *headers {
	h := &headers{handshake: make(map[string]bool), callAuthorization: r.CallAuthorization}
	for _, name := range r.Forward {
		key := strings.ToLower(name)
		h.forward = append(h.forward, key)
		h.handshake[canonical(key)] = true
	}
	if h.handshake["authorization"] || h.handshake["cookie"] {
		h.handshake["authorization"], h.handshake["cookie"] = true, true
	}
	for _, p := range r.Allow {
		h.allow.add(strings.ToLower(p))
	}
	for _, p := range r.Deny {
		h.deny.add(canonicalPattern(p))
	}
	return h
}

// apply makes of md, the metadata of a call, what the backend gets.
func (h *headers) apply(md metadata.MD, handshake http.Header) {
	for key := range md {
		if !h.passes(key) {
			delete(md, key)
		}
	}
	for _, key := range h.forward {
		if len(md[key]) > 0 {
			continue // the authorization of the call, if that is to count
		}
		if values := translate.HeaderValues(handshake, key); len(values) > 0 {
			md[key] = values
		}
	}
}

// passes reports whether a key of a call's metadata passes.
func (h *headers) passes(key string) bool {
	key = strings.ToLower(key)
	name := canonical(key)
	if h.handshake[name] && !(h.callAuthorization && key == "authorization") {
		return false
	}
	allow, deny := h.allow.fit(key), h.deny.fit(name)
	return allow >= saidByProxies.fit(name) && (deny == 0 || allow > deny)
}

// canonical returns the name that some backend may take a key for: programs behind CGI
// and its like see one name where "-", "_" and "." differ.
func canonical(key string) string {
	key = strings.ToLower(key)
	key = strings.ReplaceAll(strings.ReplaceAll(key, "_", "-"), ".", "-")
	for strings.HasSuffix(key, "-bin") {
		key = strings.TrimSuffix(key, "-bin")
	}
	return key
}

// canonicalPattern returns a pattern of names as canonical has them.
func canonicalPattern(p string) string {
	if start, ok := strings.CutSuffix(p, "*"); ok {
		return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(start), "_", "-"), ".", "-") + "*"
	}
	return canonical(p)
}

// patterns are keys and beginnings of keys.
type patterns struct {
	keys   map[string]bool
	starts []string
}

func newPatterns(all ...string) patterns {
	var p patterns
	for _, s := range all {
		p.add(s)
	}
	return p
}

func (p *patterns) add(s string) {
	if start, ok := strings.CutSuffix(s, "*"); ok {
		p.starts = append(p.starts, start)
		return
	}
	if p.keys == nil {
		p.keys = make(map[string]bool)
	}
	p.keys[s] = true
}

// fit returns how precise the longest pattern is that fits a key; 0 if none does. A key
// as a whole is more precise than its beginning.
func (p *patterns) fit(key string) (precision int) {
	if p.keys[key] {
		return 2*len(key) + 2
	}
	for _, start := range p.starts {
		if strings.HasPrefix(key, start) {
			precision = max(precision, 2*len(start)+1)
		}
	}
	return precision
}

// saidByProxies are the names of headers by which proxies, load balancers and what
// authenticates in front of a server tell it who calls, and how. They are as canonical
// has them.
var saidByProxies = newPatterns(
	// Where a request comes from, and by which way.
	"forwarded", "via", "x-forwarded", "x-forwarded-*", "x-original-*", "x-rewrite-url", "x-scheme", "x-url-scheme",
	"x-real-ip", "x-client-ip", "client-ip", "x-cluster-client-ip", "true-client-ip", "fastly-client-ip", "do-connecting-ip",
	"fly-client-ip", "fly-forwarded-*", "x-nf-client-connection-ip", "x-proxyuser-ip", "remote-addr", "x-remote-*",
	"x-appengine-*", "x-azure-*", "x-vercel-*", "cf-*", "cdn-loop", "front-end-https", "early-data",
	// Envoy, service meshes, gRPC's own load balancing.
	"x-envoy-*", "x-istio-*", "l5d-*", "grpc-previous-rpc-attempts", "lb-token", "lb-cost", "proxy-*",
	// The certificate of the client: RFC 9440, nginx, Apache, HAProxy, AWS, Azure.
	"client-cert", "client-cert-chain", "x-client-cert", "x-client-cert-*", "x-client-dn", "x-client-verify",
	"ssl-client-*", "x-ssl-*", "x-amzn-mtls-*", "x-amzn-tls-*", "x-arr-*",
	// Who calls, as what has authenticated says: oauth2-proxy, Authelia, authentik, Pomerium, Vouch,
	// Kong, APISIX, Istio, AWS, Google, Azure, Tailscale.
	"x-auth-request-*", "remote-user", "remote-name", "remote-email", "remote-groups", "x-authentik-*", "x-pomerium-*",
	"x-vouch-*", "x-webauth-*", "x-consumer-*", "x-credential-identifier", "x-anonymous-consumer", "x-authenticated-*",
	"x-userinfo", "x-jwt-claim-*", "x-amzn-oidc-*", "x-goog-authenticated-user-*", "x-goog-iap-*",
	"x-ms-client-principal*", "x-ms-token-*", "tailscale-*",
)
