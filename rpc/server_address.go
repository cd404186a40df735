package rpc

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/hostkey"
)

// ForwardedAddress returns a function for Limits.Address that returns the
// origin of a request according to X-Forwarded-For. It trusts the header as far
// as proxies have written it whose addresses are in one of the given networks,
// such as netip.MustParsePrefix("10.0.0.0/8"). For a request from another
// address it returns the address of the socket, whatever the header contains.
func ForwardedAddress(proxies ...netip.Prefix) func(*http.Request) string {
	proxies = slices.Clone(proxies)
	return func(r *http.Request) string {
		at, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return r.RemoteAddr
		}
		return hostkey.Of(forwarded(at.Addr().Unmap(), r.Header.Values("X-Forwarded-For"), proxies))
	}
}

// forwarded follows the header of a request from its end, as long as trusted
// proxies have written it.
func forwarded(at netip.Addr, lines []string, trusted []netip.Prefix) netip.Addr {
	named := strings.Split(strings.Join(lines, ","), ",")
	for _, text := range slices.Backward(named) {
		isProxy := slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(at) })
		next, err := parseForwarded(strings.TrimSpace(text))
		if !isProxy || err != nil {
			break
		}
		at = next
	}
	return at
}

// parseForwarded parses an address in X-Forwarded-For, to which some proxies
// add a port.
func parseForwarded(text string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), nil
	}
	at, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return at.Unmap().WithZone(""), err
}

// socketAddress returns the address of the socket of a request.
func socketAddress(r *http.Request) string { return hostkey.OfAddrPort(r.RemoteAddr) }
