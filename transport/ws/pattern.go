package ws

import (
	"errors"
	"fmt"
	"strings"
)

// pattern says which origins are allowed in addition to the server's own:
//
//   - every origin
//     https://example.com       this one; the port is the scheme's
//     https://example.com:8443  this one
//     https://*.example.com     every name under example.com, but not itself
//     http://localhost:*        this host with any port
//     https://*                 every host, over TLS
//     null                      sandboxed pages and files
type pattern struct {
	every      bool
	null       bool
	subdomains bool // of origin.host
	anyHost    bool
	anyPort    bool
	origin     origin
}

// wildcard replaces the asterisk while the rest is parsed as an origin.
const wildcard = "wildcard"

func parsePattern(s string) (pattern, error) {
	switch s {
	case "*":
		return pattern{every: true}, nil
	case "null":
		return pattern{null: true}, nil
	}
	var p pattern
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return pattern{}, errors.New(`want "*", "null" or "scheme://host", as in "https://example.com"`)
	}
	if cut, ok := strings.CutSuffix(rest, ":*"); ok {
		p.anyPort, rest = true, cut
	}
	switch {
	case rest == "*" || strings.HasPrefix(rest, "*:"):
		p.anyHost, rest = true, wildcard+rest[1:]
	case strings.HasPrefix(rest, "*."):
		p.subdomains, rest = true, rest[2:]
	}
	if strings.Contains(rest, "*") {
		return pattern{}, errors.New(`"*" may only be the whole first label of the host, or the port`)
	}
	if strings.ContainsAny(rest, "/?#@") {
		return pattern{}, errors.New("an origin ends after the host and port, and has no user")
	}
	o, err := parseOrigin(scheme + "://" + rest)
	if err != nil {
		return pattern{}, err
	}
	if p.subdomains && strings.HasPrefix(o.host, "[") {
		return pattern{}, errors.New("an address has no subdomains")
	}
	p.origin = o
	return p, nil
}

// allows reports whether the pattern covers a page from o.
func (p pattern) allows(o origin) bool {
	switch {
	case p.every:
		return true
	case p.null || o.scheme != p.origin.scheme:
		return false
	case !p.anyPort && o.port != p.origin.port:
		return false
	case p.anyHost:
		return true
	case p.subdomains:
		name, ok := strings.CutSuffix(o.host, "."+p.origin.host)
		return ok && name != ""
	}
	return o.host == p.origin.host
}

// checkPatterns checks the field Upgrader.Origins.
func checkPatterns(patterns []string) error {
	for i, s := range patterns {
		if _, err := parsePattern(s); err != nil {
			return fmt.Errorf("Origins[%d]: %q is not a pattern: %w", i, s, err)
		}
	}
	return nil
}

// allowed reports whether one of patterns covers the value of an Origin header.
// An invalid pattern covers nothing.
func allowed(patterns []string, value string) bool {
	o, err := parseOrigin(value)
	for _, s := range patterns {
		p, bad := parsePattern(s)
		switch {
		case bad != nil:
		case p.every, p.null && value == "null", err == nil && p.allows(o):
			return true
		}
	}
	return false
}
