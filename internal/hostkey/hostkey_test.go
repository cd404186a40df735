package hostkey_test

import (
	"testing"

	"github.com/parley-rpc/parley/internal/hostkey"
)

func TestKeyIsTheAddressOrTheNetworkOfIPv6(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1:80":              "192.0.2.1",
		"[::ffff:192.0.2.1]:80":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":         "fe80::/64",
		"@":                         "@",
		"":                          "",
	} {
		if got := hostkey.OfAddrPort(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
