package proxy

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
)

// left returns the keys of a call that pass, in order.
func left(r HeaderRules, handshake http.Header, keys ...string) []string {
	md := make(metadata.MD)
	for _, key := range keys {
		md[key] = []string{"call"}
	}
	newHeaders(r).apply(md, handshake)
	return slices.Sorted(maps.Keys(md))
}

func TestWhatProxiesSayDoesNotPassFromACall(t *testing.T) {
	said := []string{
		"forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-client-cert", "x-forwarded-user",
		"x-forwarded-tls-client-cert-info", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "cf-access-jwt-assertion",
		"x-original-url", "x-envoy-external-address", "x-envoy-internal", "grpc-previous-rpc-attempts", "ssl-client-verify", "client-cert",
		"x-auth-request-user", "x-auth-request-groups", "remote-user", "x-remote-user", "x-amzn-oidc-identity", "x-amzn-mtls-clientcert",
		"x-goog-iap-jwt-assertion", "x-goog-authenticated-user-email", "x-ms-client-principal", "x-ms-client-principal-id",
		"x-consumer-username", "x-authentik-username", "tailscale-user-login", "x-appengine-user-email", "proxy-authorization",
		// Spellings that a backend may take for one of these.
		"X-Forwarded-For", "x_forwarded_for", "x.forwarded.for", "x-real_ip", "x-real-ip-bin", "x_real_ip-bin-bin", "REMOTE_USER",
	}
	if got := left(HeaderRules{}, nil, said...); len(got) > 0 {
		t.Errorf("%q pass", got)
	}
	own := []string{
		"authorization", "cookie", "x-request-id", "traceparent", "tracestate", "grpc-trace-bin", "x-b3-traceid", "x-api-key",
		"x-goog-request-params", "x-tenant", "x-client-version", "accept-language", "x-amzn-trace-id", "user", "x-user",
	}
	if got := left(HeaderRules{}, nil, own...); len(got) != len(own) {
		t.Errorf("only %q pass", got)
	}
}

func TestForwardedHeaderIsTheHandshakesOnly(t *testing.T) {
	r := HeaderRules{Forward: []string{"X-User", "x-data-bin"}, Allow: []string{"x-user", "x_user"}}
	for name, c := range map[string]struct {
		handshake http.Header
		want      metadata.MD
	}{
		"the handshake has it":  {http.Header{"X-User": {"mallory"}, "X-Data-Bin": {"YWJj"}}, metadata.MD{"x-user": {"mallory"}, "x-data-bin": {"abc"}}},
		"the handshake has not": {http.Header{}, metadata.MD{}},
		"its value is left out": {http.Header{"X-User": {"Zoë"}}, metadata.MD{}},
		"there is no handshake": {nil, metadata.MD{}},
	} {
		md := metadata.MD{
			"x-user": {"admin"}, "X-USER": {"admin"}, "x_user": {"admin"}, "x.user": {"admin"}, "x-user-bin": {"admin"},
			"x-data-bin": {"admin"}, "x-data": {"admin"},
		}
		newHeaders(r).apply(md, c.handshake)
		if !reflect.DeepEqual(md, c.want) {
			t.Errorf("%s: %q", name, md)
		}
	}
}

func TestLongestPatternCounts(t *testing.T) {
	for name, c := range map[string]struct {
		rules HeaderRules
		keys  string
		want  string
	}{
		"denied":                         {HeaderRules{Deny: []string{"x-internal-*", "role"}}, "x-internal-a x_internal_b Role role-bin roles x-internal", "roles x-internal"},
		"only what is allowed":           {HeaderRules{Deny: []string{"*"}, Allow: []string{"x-tenant", "trace*"}}, "x-tenant x_tenant traceparent other x-real-ip", "traceparent x-tenant"},
		"allowed, but for one":           {HeaderRules{Deny: []string{"x-a-secret", "*"}, Allow: []string{"x-a-*"}}, "x-a-b x-a-secret", "x-a-b"},
		"as long":                        {HeaderRules{Deny: []string{"x-a-*"}, Allow: []string{"x-a-*"}}, "x-a-b", ""},
		"of proxies, by name":            {HeaderRules{Allow: []string{"X-Forwarded-Host"}}, "x-forwarded-host x-forwarded-for x_forwarded_host", "x-forwarded-host"},
		"of proxies, all of a kind":      {HeaderRules{Allow: []string{"x-forwarded-*"}}, "x-forwarded-host x-real-ip", "x-forwarded-host"},
		"of proxies, not imprecisely":    {HeaderRules{Allow: []string{"*", "x-*", "x-real*"}}, "x-forwarded-host x-real-ip", ""},
		"of proxies, allowed and denied": {HeaderRules{Allow: []string{"x-forwarded-*"}, Deny: []string{"x-forwarded-for"}}, "x-forwarded-host x-forwarded-for", "x-forwarded-host"},
	} {
		if err := c.rules.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(left(c.rules, nil, strings.Fields(c.keys)...), " "); got != c.want {
			t.Errorf("%s: %q pass, want %q", name, got, c.want)
		}
	}
}

func TestHandshakeSaysWhoCallsUnlessCallsMay(t *testing.T) {
	handshake := http.Header{"Authorization": {"Bearer handshake"}, "Cookie": {"a=1"}}
	call := metadata.MD{"authorization": {"Bearer call"}, "cookie": {"a=2"}, "authorization-bin": {"x"}}
	for name, c := range map[string]struct {
		rules HeaderRules
		want  metadata.MD
	}{
		"nothing is forwarded":       {HeaderRules{}, call},
		"another one is":             {HeaderRules{Forward: []string{"x-user"}}, call},
		"its authorization is":       {HeaderRules{Forward: []string{"authorization"}}, metadata.MD{"authorization": {"Bearer handshake"}}},
		"its cookie is":              {HeaderRules{Forward: []string{"Cookie"}}, metadata.MD{"cookie": {"a=1"}}},
		"that of calls counts":       {HeaderRules{Forward: []string{"Authorization"}, CallAuthorization: true}, metadata.MD{"authorization": {"Bearer call"}}},
		"beside the cookie":          {HeaderRules{Forward: []string{"cookie"}, CallAuthorization: true}, metadata.MD{"authorization": {"Bearer call"}, "cookie": {"a=1"}}},
		"calls may, but are denied":  {HeaderRules{Forward: []string{"cookie"}, CallAuthorization: true, Deny: []string{"authorization"}}, metadata.MD{"cookie": {"a=1"}}},
		"allowing does not suffice":  {HeaderRules{Forward: []string{"cookie"}, Allow: []string{"authorization"}}, metadata.MD{"cookie": {"a=1"}}},
		"neither is let in by calls": {HeaderRules{Deny: []string{"authorization", "cookie"}}, metadata.MD{}},
	} {
		md := call.Copy()
		newHeaders(c.rules).apply(md, handshake)
		if !reflect.DeepEqual(md, c.want) {
			t.Errorf("%s: %q", name, md)
		}
	}
	md := metadata.MD{}
	newHeaders(HeaderRules{Forward: []string{"authorization"}, CallAuthorization: true}).apply(md, handshake)
	if !reflect.DeepEqual(md, metadata.MD{"authorization": {"Bearer handshake"}}) {
		t.Errorf("a call without one: %q", md)
	}
}

func TestRuleThatCannotBeUsedIsNamed(t *testing.T) {
	for want, r := range map[string]HeaderRules{
		`Forward: "te": gRPC has no such`:      {Forward: []string{"cookie", "te"}},
		`Allow: "" is neither`:                 {Allow: []string{"*", ""}},
		`Allow: "x-*-y" is neither`:            {Allow: []string{"x-*-y"}},
		`Allow: "grpc-timeout" is neither`:     {Allow: []string{"grpc-timeout"}},
		`Deny: "x y" is neither a key of meta`: {Deny: []string{"x y"}},
		`Deny: "**" is neither`:                {Deny: []string{"**"}},
	} {
		if _, err := New(Config{Routes: []Route{{Backend: nothing{}}}, Headers: r}); err == nil || !strings.Contains(err.Error(), "proxy: Config.Headers: HeaderRules."+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
