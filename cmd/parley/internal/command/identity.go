package command

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/spf13/pflag"

	"github.com/parley-rpc/parley/rpc"
)

// identity is by what a gateway keeps the users of sessions apart.
type identity struct {
	header, claim string   // that names the user; "": none
	cookies       []string // that say who the user is, where nothing names her; nil: all
}

func (i *identity) flags(f *pflag.FlagSet) {
	f.StringVar(&i.header, "principal-header", "", "`header` of the handshake in which a trusted proxy names the user: then a renewed token resumes the connection")
	f.StringVar(&i.claim, "principal-claim", "", "string `claim` of the JWT in the handshake that names the user, such as sub; it is not verified here")
	f.StringArrayVar(&i.cookies, "session-cookie", nil, "`cookie` that says who the user is, where nothing names her (default all cookies)")
}

func (i *identity) validate() error {
	if i.header != "" && i.claim != "" {
		return usagef("--principal-header and --principal-claim: give one of them")
	}
	return nil
}

// options are what the server needs to know, with the headers that backends get.
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

// identified returns the request of a handshake with the principal in its context, if a
// proxy names one.
func (i *identity) identified(r *http.Request) *http.Request {
	values := r.Header.Values(i.header)
	if i.header == "" || len(values) != 1 { // of more only one can be the proxy's
		return r
	}
	return r.WithContext(rpc.WithPrincipal(r.Context(), values[0]))
}

// maxToken is how many bytes of a token are looked at, and maxName of a claim.
const (
	maxToken = 64 << 10
	maxName  = 1 << 10
)

// claimOf returns a string claim of the JWT that is the bearer token of a handshake, or "".
// The token is not verified.
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
