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

// WithServices makes the client serve calls of the server on the connections
// that it dials.
func WithServices(m *Mux) ClientOption {
	return clientOption(func(c *Client) { c.mux = m })
}

// WithURLs adds servers that are equivalent to that of NewClient. When a server
// goes away, refuses the client for now, or does not answer within a second
// after a link was lost, new calls go to another. Calls in flight stay with
// their server.
func WithURLs(urls ...string) ClientOption {
	return clientOption(func(c *Client) { c.urls = append(c.urls, urls...) })
}

// WithBalancer sets how calls are spread over several URLs. The default is
// PickFirst.
func WithBalancer(b Balancer) ClientOption {
	return clientOption(func(c *Client) { c.balancer = b })
}

// WithTLS configures the TLS of wss:// URLs.
func WithTLS(cfg *tls.Config) ClientOption {
	return clientOption(func(c *Client) { c.tls = cfg })
}

// WithHTTPHeader adds headers to the handshake's request. It replaces the
// values of a name that an earlier WithHTTPHeader has set.
func WithHTTPHeader(h http.Header) ClientOption {
	h = h.Clone()
	return clientOption(func(c *Client) {
		if c.header == nil {
			c.header = make(http.Header, len(h))
		}
		maps.Copy(c.header, h)
	})
}

// WithCredentials registers f to return headers for each handshake, also for
// one that resumes a connection, so that it can send a current token. Its
// headers replace those of WithHTTPHeader. ctx is canceled when the client is
// closed or the handshake times out. The credentials must always belong to the
// same user: to change the user, close the client and make another.
//
// An error fails the connection attempt: with its code if it is an *Error, and
// otherwise with CodeUnavailable, so that the client tries again. If the server
// answers UNAUTHENTICATED, the next attempt calls f again. That is the attempt
// of the next call or, when a lost link is replaced, an immediate one.
func WithCredentials(f func(ctx context.Context) (http.Header, error)) ClientOption {
	return clientOption(func(c *Client) { c.credentials = f })
}

// WithNetDial sets the function that makes the connections under the
// WebSockets, instead of a net.Dialer: to a Unix socket, through a SOCKS proxy,
// or in memory. network is "tcp" and addr is the host and port of the URL, or
// of the proxy of WithProxy; f may ignore both. So a server at a Unix socket
// has a URL like "ws://unix/rpc", whose host f ignores and the server sees as
// the host of the request. TLS of wss:// runs over the connection that f
// returns.
//
// With WithNetDial, proxies from the environment are not used. WithProxy names
// one.
//
// ctx is canceled when the client is closed or the handshake times out.
func WithNetDial(f func(ctx context.Context, network, addr string) (net.Conn, error)) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.net = f
		if f == nil {
			c.dialing.addMissing("WithNetDial")
		}
	})
}

// WithProxy sets the function that returns the HTTP proxy of each handshake,
// like Proxy of http.Transport. Its request has the URL that is dialed, with
// the scheme http or https. A nil URL means no proxy, so
// WithProxy(http.ProxyURL(nil)) ignores the environment. The default is
// http.ProxyFromEnvironment.
//
// The client asks the proxy for a tunnel (CONNECT). The URL of the proxy has
// the scheme http or https, and may contain a user. For a SOCKS proxy use
// WithNetDial.
func WithProxy(f func(*http.Request) (*url.URL, error)) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.proxy = f
		if f == nil {
			c.dialing.addMissing("WithProxy")
		}
	})
}

// WithCookieJar sends the cookies of a jar with each handshake, and stores in
// it the cookies that servers set in their responses. A load balancer may use
// one to route a client to the same server again. Cookies of WithHTTPHeader are
// sent too.
//
// With or without a jar, a handshake that resumes a connection sends the
// cookies that were set when the connection began.
func WithCookieJar(jar http.CookieJar) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.jar = jar
		if jar == nil {
			c.dialing.addMissing("WithCookieJar")
		}
	})
}

// WithHandshakeRequest calls f with the request of each handshake before it is
// sent, including those that resume a connection. f may change r.Header and
// r.Host, for example to sign or trace the request. The URL is read-only and
// has the scheme http or https. r has the headers of WithHTTPHeader and
// WithCredentials, but not those of the WebSocket protocol. Several functions
// are called in order. The context of r is canceled when the client is closed
// or the handshake times out.
//
// An error fails the connection attempt, like an error of WithCredentials.
func WithHandshakeRequest(f func(r *http.Request) error) ClientOption {
	return clientOption(func(c *Client) {
		c.dialing.requests = append(c.dialing.requests, f)
		if f == nil {
			c.dialing.addMissing("WithHandshakeRequest")
		}
	})
}

// dialing holds the options of a client for its handshakes.
type dialing struct {
	net      func(ctx context.Context, network, addr string) (net.Conn, error)
	proxy    func(*http.Request) (*url.URL, error)
	jar      http.CookieJar
	requests []func(*http.Request) error
	links    LinkDialer // nil: WebSockets
	missing  []string   // options that were given nil
}

// addMissing records that an option was given nil.
func (d *dialing) addMissing(option string) { d.missing = append(d.missing, option) }
