package rpc

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/url"
)

// ClientOption configures a Client, or the connection that Dial makes.
type ClientOption interface{ applyClient(*Client) }

type clientOption func(*Client)

func (f clientOption) applyClient(c *Client) { f(c) }

// WithServices has the client serve calls of the server on the connections that
// it dials.
func WithServices(m *Mux) ClientOption {
	return clientOption(func(c *Client) { c.mux = m })
}

// WithURLs adds servers to the one that NewClient was given, all of which serve
// the same. They are there for one another: when one goes away, refuses the client for
// now, or does not answer within a second where a link was lost, new calls go to
// another. Calls that are in flight stay with their server.
func WithURLs(urls ...string) ClientOption {
	return clientOption(func(c *Client) { c.urls = append(c.urls, urls...) })
}

// WithBalancer says how calls are spread over several URLs. Default PickFirst.
func WithBalancer(b Balancer) ClientOption {
	return clientOption(func(c *Client) { c.balancer = b })
}

// WithTLS configures the TLS of wss:// addresses.
func WithTLS(cfg *tls.Config) ClientOption {
	return clientOption(func(c *Client) { c.tls = cfg })
}

// WithHTTPHeader adds headers to the handshake's request. Values of a name that an
// earlier one has given are replaced.
func WithHTTPHeader(h http.Header) ClientOption {
	h = h.Clone()
	return clientOption(func(c *Client) {
		if c.header == nil {
			c.header = make(http.Header, len(h))
		}
		maps.Copy(c.header, h)
	})
}

// WithCredentials has f called for the header of each handshake, also of one that
// resumes a connection, so that it can bring a token that is still good. What it
// returns replaces values of WithHTTPHeader. ctx ends with the client, and when
// the time for a handshake is over. The credentials are always the same user's: to change
// the user, close the client and make another.
//
// An error fails that attempt to connect, with its code if it is an *Error, and
// otherwise with CodeUnavailable, so that the client tries again. If the server
// answers UNAUTHENTICATED the next attempt asks again: that of the next call, or,
// when a lost link is replaced, one at once.
func WithCredentials(f func(ctx context.Context) (http.Header, error)) ClientOption {
	return clientOption(func(c *Client) { c.credentials = f })
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

// dialing is what the options of a client say of its handshakes.
type dialing struct {
	net      func(ctx context.Context, network, addr string) (net.Conn, error)
	proxy    func(*http.Request) (*url.URL, error)
	jar      http.CookieJar
	requests []func(*http.Request) error
	missing  []string // options that were given nil
}

// given books an option; usable says that it was not given nil.
func (d *dialing) given(option string, usable bool) { //nolint:revive // a fact that is booked, not a way to go
	if !usable {
		d.missing = append(d.missing, option)
	}
}
