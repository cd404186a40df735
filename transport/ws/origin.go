package ws

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// origin is where a page comes from, in lower case and with the port that its
// scheme implies (RFC 6454).
type origin struct {
	scheme, host, port string
}

// parseOrigin parses the value of an Origin header. "null", the origin of a
// sandboxed page or a file, is an error.
func parseOrigin(s string) (origin, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return origin{}, errors.New(`want "scheme://host"`)
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return origin{}, err
	}
	o := origin{strings.ToLower(scheme), strings.ToLower(host), port}
	if !isScheme(o.scheme) {
		return origin{}, fmt.Errorf("%q is not a scheme", scheme)
	}
	if !isHost(o.host) {
		return origin{}, fmt.Errorf("%q is not a host name (non-ASCII ones are written with xn--)", host)
	}
	if port != "" && !isPort(port) {
		return origin{}, fmt.Errorf("%q is not a port", port)
	}
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o, nil
}

// splitPort splits "host", "host:port", "[v6]" or "[v6]:port". It keeps the
// brackets.
func splitPort(s string) (host, port string, err error) {
	end := strings.IndexByte(s, ']') + 1 // a colon before it is part of the host
	i := strings.IndexByte(s[end:], ':')
	if i < 0 {
		return s, "", nil
	}
	if port = s[end+i+1:]; port == "" {
		return "", "", errors.New("no port after the colon")
	}
	return s[:end+i], port, nil
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.') {
			continue
		}
		return false
	}
	return s != ""
}

// isHost reports whether s is a lower-case name, with or without a dot after
// it, an IPv4 address, or an IPv6 address in brackets.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == ""
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// CheckOrigin returns the refusal of a request from a page that may not connect,
// and nil for one that may, or that comes from no page. Upgrade makes the same
// check. CheckOrigin is for requests that are no handshakes.
func (u *Upgrader) CheckOrigin(r *http.Request) *RefusalError {
	if refused := u.checkOrigin(r); refused != nil {
		return &RefusalError{Status: refused.status, Reason: refused.text}
	}
	return nil
}

// hasOrigin reports whether a page from o belongs to the site that r was sent
// to.
//
// Without TLS there may be a proxy before the server that uses TLS, so a page
// from https is accepted too: it is no less trusted than one from http. With
// TLS, a page from http is another origin, which others on its network can
// forge. The server uses TLS if r does, if a proxy says so in a header, which a
// page cannot set, or with SecureOrigin.
func (u *Upgrader) hasOrigin(r *http.Request, o origin) bool {
	secure := u.SecureOrigin || r.TLS != nil || isForwardedTLS(r.Header)
	if o.scheme != "https" && (secure || o.scheme != "http") {
		return false
	}
	host, port, err := splitPort(r.Host)
	if err != nil {
		return false
	}
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return strings.ToLower(host) == o.host && port == o.port
}
