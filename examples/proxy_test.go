package examples_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// TestServersWorkBehindProxiesThatKeepTheHost runs a proxy that does what the
// guide configures nginx to do.
func TestServersWorkBehindProxiesThatKeepTheHost(t *testing.T) {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	site := httptest.NewServer(srv)
	defer site.Close()
	defer srv.Close()
	target, err := url.Parse(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		host func(*httputil.ProxyRequest)
		want rpc.Code // for pages of the proxy's origin
	}{
		"kept":     {func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host }, rpc.CodeOK},
		"replaced": {func(*httputil.ProxyRequest) {}, rpc.CodePermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded()
				c.host(r)
			}})
			defer proxy.Close()
			address := "ws" + strings.TrimPrefix(proxy.URL, "http")
			for _, header := range []http.Header{nil, {"Origin": {proxy.URL}}} {
				client := rpc.NewClient(address, rpc.WithHTTPHeader(header))
				defer client.Close()
				want := rpc.CodeOK
				if header != nil {
					want = c.want
				}
				_, err := pingv1parley.NewPingServiceClient(client).Ping(t.Context(), &pingv1.PingRequest{})
				if got := rpc.CodeOf(err); got != want {
					t.Errorf("Origin %q: got %v, want %v", header.Get("Origin"), err, want.String())
				}
			}
		})
	}
}
