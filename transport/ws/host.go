package ws

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// checkHost returns why a page may not reach the server by the host name of r,
// or nil.
func (u *Upgrader) checkHost(r *http.Request) *refusal {
	switch {
	case len(u.Hosts) > 0 && !hostAllowed(u.Hosts, r.Host):
		return refuse(http.StatusForbidden,
			"Pages may not connect to this server as %.200q, which is not in its list of hosts (WithHosts, --host of the gateway).", r.Host)
	case len(u.Hosts) == 0 && mayBeRebinding(r):
		return refuse(http.StatusForbidden,
			"Pages may connect over the loopback interface only to localhost, and not as %.200q. If this server has that name, "+
				"add it to the list of hosts (WithHosts, --host of the gateway); a proxy on this machine can set X-Forwarded-For instead.", r.Host)
	}
	return nil
}

// validateHosts checks the field Upgrader.Hosts.
func validateHosts(hosts []string) error {
	for i, s := range hosts {
		if err := validateHost(s); err != nil {
			return fmt.Errorf("Hosts[%d]: %q is not a pattern: %w", i, s, err)
		}
	}
	return nil
}

// validateHost returns what is wrong with a pattern of hosts.
func validateHost(s string) error {
	if s == "*" {
		return nil
	}
	name, wild := strings.CutPrefix(s, "*.")
	host, port, err := splitPort(name)
	switch {
	case err != nil:
		return err
	case strings.Contains(s, "://"):
		return errors.New(`want a host without a scheme, as in "example.com"`)
	case isPort(port):
		return errors.New("want a host without a port: it holds for every port")
	case strings.Contains(name, "*"):
		return errors.New(`"*" may only be the whole first label`)
	case port != "" || !isHost(strings.ToLower(host)):
		return errors.New("want a host name (non-ASCII ones are written with xn--) or an address, IPv6 in brackets")
	case wild && host[0] == '[':
		return errors.New("an address has no subdomains")
	}
	return nil
}

// hostAllowed reports whether one of patterns covers a Host header. An invalid
// pattern covers nothing.
func hostAllowed(patterns []string, header string) bool {
	host, ok := hostOf(header)
	for _, s := range patterns {
		switch {
		case s == "*":
			return true
		case !ok || validateHost(s) != nil:
		case strings.HasPrefix(s, "*."):
			suffix, _ := hostOf(s[2:])
			if name, under := strings.CutSuffix(host, "."+suffix); under && name != "" {
				return true
			}
		default:
			if pattern, _ := hostOf(s); pattern == host {
				return true
			}
		}
	}
	return false
}

// hostOf returns the host of a Host header, in one spelling, and whether it is
// valid.
func hostOf(header string) (host string, ok bool) {
	host, port, err := splitPort(header)
	host = strings.ToLower(host)
	if err != nil || port != "" && !isPort(port) || !isHost(host) {
		return "", false
	}
	if host[0] == '[' {
		addr, err := netip.ParseAddr(host[1 : len(host)-1])
		return "[" + addr.String() + "]", err == nil
	}
	return strings.TrimSuffix(host, "."), true
}

// isLoopbackHost reports whether a Host header names this machine without a
// name server: localhost and names under it (RFC 6761), and loopback addresses.
func isLoopbackHost(header string) bool {
	host, ok := hostOf(header)
	if !ok {
		return false
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// mayBeRebinding reports whether r may come from a page of another site whose
// name was made to resolve to this machine (DNS rebinding): the request came
// over the loopback interface, for a name that is not this machine's. With TLS
// the server's certificate has proved the name. A proxy on this machine must
// identify itself by a header.
func mayBeRebinding(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || r.TLS != nil || isProxied(r) {
		return false
	}
	tcp, ok := local.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback() && !isLoopbackHost(r.Host)
}
