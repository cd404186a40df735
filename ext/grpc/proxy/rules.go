package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/ext/grpc/internal/keys"
	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
)

// HeaderRules selects the metadata that a backend gets: from the handshake,
// whose headers a proxy in front may vouch for, and from the call, whose
// metadata the caller chooses. A page can write the latter, but not the former.
//
// With the zero value no header of the handshake passes, and all metadata of
// the call passes except what proxies set about a caller (x-forwarded-*,
// x-real-ip, x-auth-request-*, cf-*, ...: see docs/gateway.md).
//
// A rule that excludes a key applies to every spelling that a backend could
// confuse with it: in any case, with "_" or "." for "-", and with the suffix
// "-bin".
type HeaderRules struct {
	// Forward names the headers of the handshake that backends get as metadata.
	// A call cannot set them, even if the handshake has none.
	Forward []string
	// Allow and Deny are patterns of keys of calls: a key, or a prefix and "*".
	// The longest matching pattern applies, and Deny if two are equally long.
	// To allow what proxies set, Allow must be as precise as the built-in
	// pattern: "x-forwarded-host" or "x-forwarded-*", not "x-*".
	Allow, Deny []string
	// CallAuthorization lets the "authorization" of a call replace that of the
	// handshake. Without it, a call can have neither "authorization" nor
	// "cookie" if one of them is forwarded: the handshake identifies the
	// caller. If neither is forwarded, both pass.
	CallAuthorization bool
}

// Validate returns an error for the first invalid element.
func (r HeaderRules) Validate() error {
	for _, name := range r.Forward {
		if !ValidKey(name) {
			return fmt.Errorf("HeaderRules.Forward: %q: gRPC has no such metadata, or has it for itself", name)
		}
	}
	for field, patterns := range map[string][]string{"Allow": r.Allow, "Deny": r.Deny} {
		for _, p := range patterns {
			if !ValidPattern(p) {
				return fmt.Errorf("HeaderRules.%s: %q is neither a key of metadata nor a prefix of keys followed by *", field, p)
			}
		}
	}
	return nil
}

// ValidPattern reports whether a pattern is valid in HeaderRules: a name that
// ValidKey accepts, a prefix of one with "*", or "*".
func ValidPattern(pattern string) bool {
	start, _ := strings.CutSuffix(pattern, "*")
	return pattern == "*" || ValidKey(start)
}

// headers applies HeaderRules.
type headers struct {
	forward           []string        // keys, in lower case
	handshake         map[string]bool // names, as in keys.Canonical, that no call can set
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

// apply converts md, the metadata of a call, to the metadata for the backend.
func (h *headers) apply(md metadata.MD, handshake http.Header) {
	for key := range md {
		if !h.passes(key) {
			delete(md, key)
		}
	}
	for _, key := range h.forward {
		if len(md[key]) > 0 {
			continue // the authorization of the call, if it takes precedence
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
