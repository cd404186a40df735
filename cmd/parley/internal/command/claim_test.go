package command

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// jwt is a token with a payload, and a signature that nobody looks at.
func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestPrincipalIsWhatTheHandshakeNames(t *testing.T) {
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	script := func(token string) http.Header {
		return http.Header{"Sec-Websocket-Protocol": {"parley.v1, parley.bearer." + base64.RawURLEncoding.EncodeToString([]byte(token))}}
	}
	claim, header := identity{claim: "sub"}, identity{header: "X-User"}
	for _, c := range []struct {
		name   string
		by     identity
		header http.Header
		want   string
	}{
		{"a claim", claim, bearer(jwt(`{"sub":"alice","exp":1}`)), "claim sub=alice"},
		{"a claim of a script's token", claim, script(jwt(`{"sub":"alice"}`)), "claim sub=alice"},
		{"the scheme in lower case", claim, http.Header{"Authorization": {"bearer " + jwt(`{"sub":"alice"}`)}}, "claim sub=alice"},
		{"no token", claim, nil, ""},
		{"no such claim", claim, bearer(jwt(`{"name":"alice"}`)), ""},
		{"an empty claim", claim, bearer(jwt(`{"sub":""}`)), ""},
		{"a number", claim, bearer(jwt(`{"sub":7}`)), ""},
		{"null", claim, bearer(jwt(`{"sub":null}`)), ""},
		{"a long claim", claim, bearer(jwt(`{"sub":"` + strings.Repeat("a", maxName+1) + `"}`)), ""},
		{"a long token", claim, bearer(jwt(`{"sub":"a","x":"` + strings.Repeat("a", maxToken) + `"}`)), ""},
		{"no JSON", claim, bearer(jwt(`sub`)), ""},
		{"an array", claim, bearer(jwt(`["sub"]`)), ""},
		{"no base64", claim, bearer("e30.***.c2ln"), ""},
		{"two parts", claim, bearer("e30.e30"), ""},
		{"another scheme", claim, http.Header{"Authorization": {"Basic " + jwt(`{"sub":"alice"}`)}}, ""},
		{"two credentials", claim, http.Header{
			"Authorization":          {"Bearer " + jwt(`{"sub":"alice"}`)},
			"Sec-Websocket-Protocol": script(jwt(`{"sub":"bob"}`))["Sec-Websocket-Protocol"],
		}, ""},
		{"a header", header, http.Header{"X-User": {"alice"}}, "alice"},
		{"no header", header, bearer(jwt(`{"sub":"alice"}`)), ""},
		{"a header twice", header, http.Header{"X-User": {"mallory", "alice"}}, ""},
		{"nothing is asked for", identity{}, bearer(jwt(`{"sub":"alice"}`)), ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/rpc", nil)
		for name, values := range c.header {
			r.Header[name] = values
		}
		if got := rpc.Principal(c.by.identified(r).Context()); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
