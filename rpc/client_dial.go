package rpc

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/parley-rpc/parley/transport/ws"
)

// dialing is what the options of a client say of its handshakes.
type dialing struct {
	net      func(ctx context.Context, network, addr string) (net.Conn, error)
	proxy    func(*http.Request) (*url.URL, error)
	jar      http.CookieJar
	requests []func(*http.Request) error
	missing  []string // options that were given nil
}

// WithNetDial has f make the connections under the WebSockets, instead of a
// net.Dialer: to a Unix socket, through a SOCKS proxy, in memory. network is "tcp"
// and addr the host and port of the URL, or of the proxy of WithProxy; f may do
// with them what it likes. So a server at a Unix socket has the URL
// "ws://unix/rpc", where the host is a name that f ignores and the server sees as
// that of the request. TLS of wss:// runs over what f returns.
//
// Proxies that the environment names are not used then; WithProxy names them.
//
// ctx ends with the client, and when the time for a handshake is over.
func WithNetDial(f func(ctx context.Context, network, addr string) (net.Conn, error)) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.net = f
		c.dialing.given("WithNetDial", f != nil)
	})
}

// WithProxy has f name the HTTP proxy of each handshake, as the Proxy of an
// http.Transport does: its request has the URL that is dialled, with the scheme
// http or https. A nil URL is none, so WithProxy(http.ProxyURL(nil)) uses none
// whatever the environment says. Default http.ProxyFromEnvironment.
//
// The proxy is asked for a tunnel (CONNECT). Its URL has the scheme http or https,
// and may have a user. For a SOCKS proxy use WithNetDial.
func WithProxy(f func(*http.Request) (*url.URL, error)) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.proxy = f
		c.dialing.given("WithProxy", f != nil)
	})
}

// WithCookieJar has the handshakes bring the cookies of a jar, and keeps in it
// those that servers set with their answer, such as a load balancer that sends a
// client to the same server again. Cookies of WithHTTPHeader are sent besides.
//
// With or without a jar, a connection whose link was lost is resumed with the cookies
// that were set when it was begun, though another may have been given others since.
func WithCookieJar(jar http.CookieJar) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.jar = jar
		c.dialing.given("WithCookieJar", jar != nil)
	})
}

// WithHandshakeRequest calls f with the request of each handshake before it is
// sent, also of one that resumes a connection. f may change r.Header and r.Host:
// to sign the request, say, or to trace it. The URL, which has the scheme http or
// https, is there to be read. r has the headers of WithHTTPHeader and
// WithCredentials, not those of the WebSocket itself. Several functions are called
// in order. The context of r ends with the client, and when the time for a
// handshake is over.
//
// An error fails that attempt to connect, as one of WithCredentials does.
func WithHandshakeRequest(f func(r *http.Request) error) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.requests = append(c.dialing.requests, f)
		c.dialing.given("WithHandshakeRequest", f != nil)
	})
}

// given books an option; usable says that it was not given nil.
func (d *dialing) given(option string, usable bool) { //nolint:revive // a fact that is booked, not a way to go
	if !usable {
		d.missing = append(d.missing, option)
	}
}

// dialer returns what dials the client's links, or what is wrong with the options
// for it.
func (c *Client) newDialer() (ws.Dialer, error) {
	d := ws.Dialer{
		TLSConfig:        c.tls,
		HandshakeTimeout: c.handshakeTimeout,
		ReadLimit:        c.readLimit,
		NetDial:          c.dialing.net,
		Proxy:            c.dialing.proxy,
		Jar:              c.dialing.jar,
	}
	if d.NetDial != nil && d.Proxy == nil {
		d.Proxy = http.ProxyURL(nil)
	}
	for _, option := range c.dialing.missing {
		return d, fmt.Errorf("%s: nil", option)
	}
	header := ws.Dialer{Header: c.header}
	if err := header.Validate(); err != nil {
		return d, fmt.Errorf("WithHTTPHeader: %w", err)
	}
	timeout := ws.Dialer{HandshakeTimeout: c.handshakeTimeout}
	if err := timeout.Validate(); err != nil {
		return d, fmt.Errorf("WithHandshakeTimeout: %w", err)
	}
	return d, d.Validate()
}

// handshakeHeader returns the header of a handshake with a URL.
func (c *Client) handshakeHeader(dialled string) (http.Header, error) {
	header, err := c.authorized()
	if err != nil || len(c.dialing.requests) == 0 {
		return header, err
	}
	u, err := url.Parse(dialled)
	if err != nil {
		return header, nil // the dial fails with what is wrong with it
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	ctx, cancel := context.WithTimeout(c.life, c.preparation())
	defer cancel()
	r := (&http.Request{Method: http.MethodGet, URL: u, Header: header.Clone(), Host: u.Host}).WithContext(ctx)
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	for _, f := range c.dialing.requests {
		if err := f(r); err != nil {
			return nil, unprepared("handshake request", err)
		}
	}
	if r.Host != u.Host {
		r.Header.Set("Host", r.Host)
	}
	return r.Header, nil
}

// renews reports whether a handshake may bring other credentials than the one
// before.
func (c *Client) renews() bool { return c.credentials != nil || len(c.dialing.requests) > 0 }

// unprepared is the status of a handshake that an option has failed.
func unprepared(what string, err error) error {
	code := CodeUnavailable
	if isStatus(err) {
		code = CodeOf(err)
	}
	return Errorf(code, "%s: %w", what, err)
}
