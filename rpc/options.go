package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// ServerOption configures a Server.
type ServerOption interface{ applyServer(*Server) }

// ClientOption configures a Client, or the connection that Dial makes.
type ClientOption interface{ applyClient(*Client) }

// Option configures either end.
type Option interface {
	ServerOption
	ClientOption
}

type serverOption func(*Server)

func (f serverOption) applyServer(s *Server) { f(s) }

type clientOption func(*Client)

func (f clientOption) applyClient(c *Client) { f(c) }

type endpointOption func(*endpoint)

func (f endpointOption) applyServer(s *Server) { f(&s.endpoint) }
func (f endpointOption) applyClient(c *Client) { f(&c.endpoint) }

// Options makes one Option of several.
func Options(opts ...Option) Option { return options(opts) }

type options []Option

func (all options) applyServer(s *Server) {
	for _, o := range all {
		o.applyServer(s)
	}
}

func (all options) applyClient(c *Client) {
	for _, o := range all {
		o.applyClient(c)
	}
}

// leastReadLimit is what one message of the WebSocket may have: 64 KiB, and the
// largest frame that begins there (PROTOCOL.md, section "Link messages").
const leastReadLimit = 64<<10 + 16 + 64<<10

// validate names the first option that is malformed.
func (e *endpoint) validate() error {
	switch {
	case e.mux == nil:
		return errors.New("WithServices: no Mux")
	case e.log == nil:
		return errors.New("WithLogger: no Logger")
	case e.readLimit != 0 && e.readLimit < leastReadLimit:
		return fmt.Errorf("WithReadLimit: %d bytes, must be at least %d", e.readLimit, leastReadLimit)
	case hasNil(e.handlerChain):
		return errors.New("WithHandlerInterceptors: one is nil")
	case hasNil(e.callChain):
		return errors.New("WithCallInterceptors: one is nil")
	}
	for name := range e.codecs {
		if !validName(name) {
			return fmt.Errorf("WithCodec: the name %q cannot travel", name)
		}
	}
	for name := range e.compressors {
		if !validName(name) {
			return fmt.Errorf("WithCompressor: the name %q cannot travel", name)
		}
	}
	return errors.Join(e.parameters().Validate(), e.resumption.validate())
}

func hasNil(interceptors []Interceptor) bool {
	return slices.ContainsFunc(interceptors, func(i Interceptor) bool { return i == nil })
}

// validName tells whether a codec or a compression may have a name (PROTOCOL.md,
// section "Codecs and compression").
func validName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789+-._") == ""
}

// WithHandlerInterceptors adds interceptors of the calls that this end serves.
// The first is outermost.
func WithHandlerInterceptors(interceptors ...Interceptor) Option {
	return endpointOption(func(e *endpoint) { e.handlerChain = append(e.handlerChain, interceptors...) })
}

// WithCallInterceptors adds interceptors of the calls that this end makes. The
// first is outermost.
func WithCallInterceptors(interceptors ...Interceptor) Option {
	return endpointOption(func(e *endpoint) { e.callChain = append(e.callChain, interceptors...) })
}

// WithTransport sets the parameters of the sessions of connections: sizes, streams at
// once, windows, keepalive. It takes the place of an earlier WithTransport as a whole:
// fields that are zero have their defaults.
//
// ResumeWindow and ReplayLimit count unless WithResumption or WithoutResumption says
// otherwise, whichever option comes first. A server with a WindowBudget here uses that
// one, and not Limits.MaxWindowMemory; one with a ReassemblyBudget uses that one for
// messages in pieces, and half of Limits.MaxMessageMemory for those that are inflated.
func WithTransport(p transport.Parameters) Option {
	return endpointOption(func(e *endpoint) { e.transport = p })
}

// WithCodec adds a codec, or replaces the one of that name.
func WithCodec(c Codec) Option {
	return endpointOption(func(e *endpoint) {
		if c == nil {
			e.codecs[""] = nil // which validate finds
			return
		}
		e.codecs[c.Name()] = c
	})
}

// WithCompressor adds a compression, or replaces the one of that name.
func WithCompressor(c Compressor) Option {
	return endpointOption(func(e *endpoint) {
		if c == nil {
			e.compressors[""] = nil
			return
		}
		e.compressors[c.Name()] = c
	})
}

// OnConnect has f called with each new connection, once both ends have greeted. f
// may keep it, to make calls to the other end whenever it likes, and may make
// some at once. Calls of either end may be under way before f has returned.
func OnConnect(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.onConnect = append(e.onConnect, f) })
}

// OnDisconnect has f called when a connection has ended, with the reason, after
// the functions of OnConnect have returned.
func OnDisconnect(f func(*Conn, error)) Option {
	return endpointOption(func(e *endpoint) { e.onDisconnect = append(e.onDisconnect, f) })
}

// WithLogger takes what no caller can be told: panics of handlers and, of a server,
// whom it refuses, whom it cuts off, and, at level Debug, how connections come and go.
// Default slog.Default.
func WithLogger(l *slog.Logger) Option {
	return endpointOption(func(e *endpoint) { e.log = l })
}

// WithReadLimit bounds a single message of the WebSocket, which carries frames
// of any number of calls. Default 1 MiB, at least 131,088: what a peer may put
// into one. It is checked before buffering.
func WithReadLimit(bytes int64) Option {
	return endpointOption(func(e *endpoint) { e.readLimit = bytes })
}

// WithHandshakeTimeout bounds the time from the TCP connection to the answered
// upgrade. Default 10 s.
func WithHandshakeTimeout(d time.Duration) Option {
	return endpointOption(func(e *endpoint) { e.handshakeTimeout = d })
}

// WithOrigins allows pages of other origins than the server's own to connect:
// patterns such as "https://*.example.com", or "*" for all. What is no browser
// sends no Origin and is not concerned. NewServer panics if one is malformed.
func WithOrigins(patterns ...string) ServerOption {
	return serverOption(func(s *Server) { s.upgrader.Origins = append(s.upgrader.Origins, patterns...) })
}

// WithSecureOrigin says that browsers reach the server by TLS only, which ends at a
// proxy: pages of the server's own origin come from https. Without it a page from http
// is let in where neither this server has TLS nor the proxy says that it has
// (X-Forwarded-Proto of https or wss, or Forwarded).
func WithSecureOrigin() ServerOption {
	return serverOption(func(s *Server) { s.upgrader.SecureOrigin = true })
}

// WithHosts names the hosts as which pages may reach the server, without a port:
// "example.com", "*.example.com", "[::1]", or "*" for all. A page that comes by another
// name is refused with HTTP 403: an attacker can make a name of his own resolve to
// this server (DNS rebinding). Without WithHosts all names are good, but over the loopback
// interface, without TLS and a proxy that sets X-Forwarded-For or the like, only
// localhost and loopback addresses. What is no browser sends no Origin and is not
// concerned. NewServer panics if one is malformed.
func WithHosts(hosts ...string) ServerOption {
	return serverOption(func(s *Server) { s.upgrader.Hosts = append(s.upgrader.Hosts, hosts...) })
}

// WithServices has the client serve calls of the server on the connections that
// it dials.
func WithServices(m *Mux) ClientOption {
	return clientOption(func(c *Client) { c.mux = m })
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
