package command

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/spf13/pflag"

	"github.com/parley-rpc/parley/rpc"
)

// identity configures how a gateway separates the sessions of users.
type identity struct {
	header, claim string   // that names the user; "": none
	cookies       []string // identify the user if nothing else does; nil: all
}

func (i *identity) flags(f *pflag.FlagSet) {
	f.StringVar(&i.header, "principal-header", "", "`header` of the handshake in which a trusted proxy names the user: then connections are resumed with renewed tokens")
	f.StringVar(&i.claim, "principal-claim", "", "string `claim` of the handshake's JWT that names the user, such as sub; the gateway does not verify it")
	f.StringArrayVar(&i.cookies, "session-cookie", nil, "`cookie` that identifies the user if nothing else does (default all cookies)")
}

func (i *identity) validate() error {
	if i.header != "" && i.claim != "" {
		return usagef("--principal-header and --principal-claim: give one of them")
	}
	return nil
}

// options returns the options of the server. It needs the headers that are
// forwarded to backends.
func (i *identity) options(forward []string) []rpc.ServerOption {
	opts := []rpc.ServerOption{rpc.WithSessionHeaders(forward...)}
	if i.claim != "" {
		opts = append(opts, rpc.WithSessionUser(func(r *http.Request) string { return claimOf(r, i.claim) }))
	}
	if i.cookies != nil {
		opts = append(opts, rpc.WithSessionCookies(i.cookies...))
	}
	return opts
}

// identified returns the request of a handshake with the principal in its
// context, if a proxy has named one.
func (i *identity) identified(r *http.Request) *http.Request {
	values := r.Header.Values(i.header)
	if i.header == "" || len(values) != 1 { // at most one of several can be the proxy's
		return r
	}
	return r.WithContext(rpc.WithPrincipal(r.Context(), values[0]))
}

// maxToken is how many bytes of a token are looked at, and maxName of a claim.
const (
	maxToken = 64 << 10 // maxToken is the maximum size of a token that is parsed, and maxName of a claim.
	maxName  = 1 << 10
)

// claimOf returns a string claim of the JWT in the bearer token of a handshake,
// or "". It does not verify the token.
func claimOf(r *http.Request, claim string) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	parts := strings.Split(token, ".")
	if !strings.EqualFold(scheme, "Bearer") || len(parts) != 3 || len(token) > maxToken {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims map[string]json.RawMessage
	var name string
	if json.Unmarshal(payload, &claims) != nil || json.Unmarshal(claims[claim], &name) != nil || len(name) > maxName {
		return ""
	}
	return name
}
