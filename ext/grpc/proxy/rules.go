package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/internal/keys"
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
	handshake         map[string]bool // names, as keys.Canonical has them, that no call can have
	allow, deny       keys.Patterns
	callAuthorization bool
}

func newHeaders(r HeaderRules) *headers {
	h := &headers{handshake: make(map[string]bool), callAuthorization: r.CallAuthorization}
	for _, name := range r.Forward {
		key := strings.ToLower(name)
		h.forward = append(h.forward, key)
		h.handshake[keys.Canonical(key)] = true
	}
	if h.handshake["authorization"] || h.handshake["cookie"] {
		h.handshake["authorization"], h.handshake["cookie"] = true, true
	}
	for _, p := range r.Allow {
		h.allow.Add(strings.ToLower(p))
	}
	for _, p := range r.Deny {
		h.deny.Add(keys.CanonicalPattern(p))
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
	name := keys.Canonical(key)
	if h.handshake[name] && !(h.callAuthorization && key == "authorization") {
		return false
	}
	allow, deny := h.allow.Fit(key), h.deny.Fit(name)
	return allow >= keys.SaidByProxies.Fit(name) && (deny == 0 || allow > deny)
}
