package ws

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// target is the server that a dial connects to.
type target struct {
	url    *url.URL // ws or wss
	secure bool
	addr   string // host:port
}

// parseTarget parses a URL of RFC 6455, section 3. http and https mean ws and
// wss, as in browsers.
func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) && !strings.Contains(raw, "@") {
			return target{}, fmt.Errorf("malformed URL: %w", parse.Err) // without the URL itself
		}
		return target{}, errors.New("malformed URL") // the rest may be a password
	}
	t := target{url: u}
	port := "80"
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "ws"
	case "wss", "https":
		u.Scheme, t.secure, port = "wss", true, "443"
	case "unix":
		return target{url: u}, errors.New(`scheme "unix": want ws or wss, as ws://unix/path, and a Dialer.NetDial that dials the socket (of a client of rpc: WithNetDial)`)
	default:
		return target{url: u}, fmt.Errorf("scheme %.20q: want ws or wss", u.Scheme)
	}
	switch {
	case u.Hostname() == "":
		return t, errors.New("the URL names no host")
	case u.User != nil:
		return t, errors.New("a WebSocket URL carries no credentials: send them in a header (Dialer.Header; of a client of rpc: WithHTTPHeader or WithCredentials)")
	case u.Fragment != "" || u.RawFragment != "":
		return t, errors.New("a WebSocket URL has no fragment (#): write it as %23")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.addr = net.JoinHostPort(u.Hostname(), port)
	return t, nil
}

// httpURL returns the URL of the target with a scheme of HTTP, for proxies and
// cookies.
func (t target) httpURL() *url.URL {
	u := *t.url
	u.Scheme = "http"
	if t.secure {
		u.Scheme = "https"
	}
	return &u
}
