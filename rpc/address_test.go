package rpc_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestForwardedAddressCountsAsFarAsTrustedProxiesHaveWrittenIt(t *testing.T) {
	address := rpc.ForwardedAddress(networks("10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32")...)
	for _, tt := range []struct{ remote, header, want string }{
		{"192.0.2.1:1234", "", "192.0.2.1"},
		{"192.0.2.1:1234", "198.51.100.7", "192.0.2.1"}, // no proxy: the client has set the header
		{"10.1.1.1:1234", "", "10.1.1.1"},
		{"10.1.1.1:1234", "198.51.100.7", "198.51.100.7"},
		{"10.1.1.1:1234", "203.0.113.9, 198.51.100.7", "198.51.100.7"}, // the first is the client's word
		{"127.0.0.1:1234", "203.0.113.9, 198.51.100.7,10.2.2.2", "198.51.100.7"},
		{"127.0.0.1:1234", "203.0.113.9|198.51.100.7,  10.2.2.2", "198.51.100.7"}, // two header lines are one list
		{"127.0.0.1:1234", "198.51.100.7:4711", "198.51.100.7"},
		{"127.0.0.1:1234", "[2001:db9:1:2:3::4]:4711", "2001:db9:1:2::/64"},
		{"127.0.0.1:1234", "2001:db9:1:2:3::4", "2001:db9:1:2::/64"},
		{"[2001:db8::1]:1234", "::ffff:198.51.100.7", "198.51.100.7"},
		{"127.0.0.1:1234", "198.51.100.7, unknown", "127.0.0.1"},
		{"127.0.0.1:1234", ",", "127.0.0.1"},
		{"127.0.0.1:1234", "10.1.1.1, 10.2.2.2", "10.1.1.1"},
		{"@", "198.51.100.7", "@"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: make(http.Header)}
		if tt.header != "" {
			r.Header["X-Forwarded-For"] = strings.Split(tt.header, "|")
		}
		if got := address(r); got != tt.want {
			t.Errorf("from %s, forwarded for %q: %s, want %s", tt.remote, tt.header, got, tt.want)
		}
	}
}

func networks(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func FuzzForwardedAddress(f *testing.F) {
	f.Add("127.0.0.1:80", "198.51.100.7, 10.2.2.2")
	f.Add("[::1]:80", "[2001:db8::1%eth0]:9,::")
	f.Fuzz(func(t *testing.T, remote, header string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {header}}}
		if rpc.ForwardedAddress(networks("0.0.0.0/0", "::/0")...)(r) == "" && remote != "" {
			t.Errorf("%q, %q: no address", remote, header)
		}
		if got, want := rpc.ForwardedAddress()(r), rpc.SocketAddress(r); got != want {
			t.Errorf("no proxy is trusted, but %q from %q counts as %s, not %s", header, remote, got, want)
		}
	})
}
