package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// link makes a link to a URL, with fresh credentials. Its errors are *Error.
func (c *Client) link(ctx context.Context, h dialRequest) (transport.Link, Peer, error) {
	if c.optionErr != nil {
		return nil, Peer{}, c.optionErr
	}
	var err error
	if h.header, err = c.handshakeHeader(h.url); err != nil {
		return nil, Peer{}, err
	}
	return c.dial(ctx, h)
}

// dialRequest describes a handshake that a client makes.
type dialRequest struct {
	url        string
	newSession bool // the link starts a session rather than resuming one
	header     http.Header

	cookies []*http.Cookie // of the session that the link resumes
}

// authorized returns the header of a handshake, with credentials.
func (c *Client) authorized() (http.Header, error) {
	if c.credentials == nil {
		return c.header, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.preparation())
	defer cancel()
	more, err := c.credentials(ctx)
	if err != nil {
		return nil, unprepared("no credentials", err)
	}
	header := c.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	maps.Copy(header, more)
	return header, nil
}

// preparation returns the timeout for the steps before a handshake, and for the
// first answer after it. It equals the handshake timeout.
func (c *Client) preparation() time.Duration {
	if c.handshakeTimeout > 0 {
		return c.handshakeTimeout
	}
	return credentialsTimeout
}

// credentialsTimeout is the default of preparation.
const credentialsTimeout = 10 * time.Second

func (c *Client) dialWebSocket(ctx context.Context, h dialRequest) (transport.Link, Peer, error) {
	d := c.dialer
	d.Header, d.NewSession = h.header, h.newSession
	if len(h.cookies) > 0 {
		d.Jar = sessionJar{d.Jar, h.cookies}
	}
	link, err := d.Dial(ctx, h.url)
	switch {
	case err != nil && c.ctx.Err() != nil:
		return nil, Peer{}, errClientClosed
	case err != nil:
		return nil, Peer{}, Errorf(dialStatus(err), "%w", err)
	}
	return link, Peer{
		Host:      hostOf(h.url),
		Addr:      link.RemoteAddr(),
		LocalAddr: link.LocalAddr(),
		TLS:       link.TLS(),
		Protocol:  link.Subprotocol(),
		Header:    link.Response(),
	}, nil
}

// dialStatus is the status of a call for which no connection could be made
// (PROTOCOL.md, section "What the caller sees").
func dialStatus(err error) Code {
	var h *ws.HandshakeError
	if !errors.As(err, &h) {
		return CodeUnavailable
	}
	switch {
	case h.Stage == ws.StageConfig:
		return CodeInvalidArgument
	case h.Stage == ws.StageProxy, h.Status == 0:
		return CodeUnavailable
	case h.Status == http.StatusBadRequest && len(h.ServerSubprotocols) == 0:
		return CodeInternal
	case h.Status < 400, h.Status == http.StatusBadRequest:
		return CodeUnimplemented // it speaks another protocol or version
	case h.Status >= 500:
		return CodeUnavailable
	}
	switch h.Status {
	case http.StatusUnauthorized:
		return CodeUnauthenticated
	case http.StatusForbidden:
		return CodePermissionDenied
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUpgradeRequired:
		return CodeUnimplemented
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return CodeUnavailable
	}
	return CodeUnknown
}

// handshakeHeader returns the header of a handshake with a URL.
func (c *Client) handshakeHeader(dialed string) (http.Header, error) {
	header, err := c.authorized()
	if err != nil || len(c.dialing.requests) == 0 {
		return header, err
	}
	u, err := url.Parse(dialed)
	if err != nil {
		return header, nil // the dial reports the error
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.preparation())
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

// renews reports whether a handshake may carry other credentials than the one
// before.
func (c *Client) renews() bool { return c.credentials != nil || len(c.dialing.requests) > 0 }

// unprepared returns the status of a handshake that an option has failed.
func unprepared(what string, err error) error {
	code := CodeUnavailable
	if isStatus(err) {
		code = CodeOf(err)
	}
	return Errorf(code, "%s: %w", what, err)
}

// newDialer returns the dialer of the client's links, or the error in its
// options.
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
