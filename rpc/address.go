package rpc

import "net/url"

// acceptable returns the address that a server has named, if it is on the server
// that was dialled: credentials must not be led elsewhere (PROTOCOL.md, section
// "Address").
func acceptable(dialled, address string) string {
	from, err := url.Parse(dialled)
	to, toErr := url.Parse(address)
	if err != nil || toErr != nil || from.Scheme != to.Scheme || to.User != nil ||
		from.Hostname() != to.Hostname() || port(from) != port(to) {
		return ""
	}
	return address
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "wss" || u.Scheme == "https" {
		return "443"
	}
	return "80"
}
