package command

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// jwt returns a token with a payload, and a signature that is not verified.
func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestUserIsWhatTheTokenClaims(t *testing.T) {
	bearer := func(token string) []string { return []string{"Bearer " + token} }
	for _, c := range []struct {
		name          string
		authorization []string
		want          string
	}{
		{"a claim", bearer(jwt(`{"sub":"alice","exp":1}`)), "alice"},
		{"the scheme in lower case", []string{"bearer " + jwt(`{"sub":"alice"}`)}, "alice"},
		{"no token", nil, ""},
		{"no such claim", bearer(jwt(`{"name":"alice"}`)), ""},
		{"an empty claim", bearer(jwt(`{"sub":""}`)), ""},
		{"a number", bearer(jwt(`{"sub":7}`)), ""},
		{"null", bearer(jwt(`{"sub":null}`)), ""},
		{"a long claim", bearer(jwt(`{"sub":"` + strings.Repeat("a", maxName+1) + `"}`)), ""},
		{"a long token", bearer(jwt(`{"sub":"a","x":"` + strings.Repeat("a", maxToken) + `"}`)), ""},
		{"no JSON", bearer(jwt(`sub`)), ""},
		{"an array", bearer(jwt(`["sub"]`)), ""},
		{"no base64", bearer("e30.***.c2ln"), ""},
		{"two parts", bearer("e30.e30"), ""},
		{"another scheme", []string{"Basic " + jwt(`{"sub":"alice"}`)}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/rpc", nil)
		r.Header["Authorization"] = c.authorization
		if got := claimOf(r, "sub"); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestHeaderOfAProxyNamesThePrincipalIfItIsThereOnce(t *testing.T) {
	for _, c := range []struct {
		by     identity
		values []string
		want   string
	}{
		{identity{header: "x-user"}, []string{"alice"}, "alice"},
		{identity{header: "x-user"}, nil, ""},
		{identity{header: "x-user"}, []string{"mallory", "alice"}, ""},
		{identity{}, []string{"alice"}, ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/rpc", nil)
		r.Header["X-User"] = c.values
		if got := rpc.Principal(c.by.identified(r).Context()); got != c.want {
			t.Errorf("%q: %q, want %q", c.values, got, c.want)
		}
	}
}
