// Package hostkey names hosts, for limits that count by host.
package hostkey

import "net/netip"

// Of returns the key of the host at an address: an IPv4 address, or the /64 of an IPv6
// address, since a single host has a whole network there. It ignores the zone.
func Of(at netip.Addr) string {
	at = at.Unmap().WithZone("")
	if at.Is4() {
		return at.String()
	}
	network, _ := at.Prefix(64) // fits every IPv6 address
	return network.String()
}

// OfAddrPort is Of for text such as "192.0.2.1:80". Other text, as the address of a
// Unix socket, is a key of its own.
func OfAddrPort(text string) string {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return text
	}
	return Of(at.Addr())
}
