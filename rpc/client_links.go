package rpc

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/transport"
)

// LinkDialer makes a link for a Client. server is a URL that was passed to
// NewClient or WithURLs, as it is: any text that means something to the
// LinkDialer. Peer is what Conn.Peer returns. ctx ends when the
// attempt is no longer needed. An *Error is the status of calls that had to
// wait for the link; other errors become CodeUnavailable, after which the client
// tries again.
type LinkDialer func(ctx context.Context, server string) (transport.Link, Peer, error)

// WithLinks makes a client use other links than WebSockets: over a Unix socket,
// for example. dial is called for each link, including those that resume a
// connection. At the server, Server.ServeLink serves the link.
//
// The options of WebSockets must not be set then: WithTLS, WithHTTPHeader,
// WithCredentials, WithNetDial, WithProxy, WithCookieJar and
// WithHandshakeRequest.
func WithLinks(dial LinkDialer) ClientOption {
	return clientOption(func(c *Client) {
		if dial == nil {
			c.dialing.addMissing("WithLinks")
		}
		c.dialing.links = dial
	})
}

// dialLink makes a link that is no WebSocket.
func (c *Client) dialLink(ctx context.Context, h dialRequest) (transport.Link, Peer, error) {
	link, peer, err := c.dialing.links(ctx, h.url)
	switch {
	case err == nil && link == nil:
		return nil, Peer{}, Errorf(CodeInternal, "WithLinks: neither a link nor an error")
	case err == nil:
		return link, peer, nil
	case c.ctx.Err() != nil:
		return nil, Peer{}, errClientClosed
	case isStatus(err):
		return nil, Peer{}, err
	}
	return nil, Peer{}, Errorf(CodeUnavailable, "%w", err)
}

// validateLinks returns an error that names the options of WebSockets that are
// set though the links are none.
func (c *Client) validateLinks() error {
	if c.dialing.links == nil {
		return nil
	}
	var set []string
	for _, o := range []struct {
		name string
		set  bool
	}{
		{"WithTLS", c.tls != nil},
		{"WithHTTPHeader", c.header != nil},
		{"WithCredentials", c.credentials != nil},
		{"WithNetDial", c.dialing.net != nil},
		{"WithProxy", c.dialing.proxy != nil},
		{"WithCookieJar", c.dialing.jar != nil},
		{"WithHandshakeRequest", len(c.dialing.requests) > 0},
	} {
		if o.set {
			set = append(set, o.name)
		}
	}
	if len(set) == 0 {
		return nil
	}
	return fmt.Errorf("WithLinks: the links are no WebSockets, so remove %s", strings.Join(set, ", "))
}
