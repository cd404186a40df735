package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"sync"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Client makes calls to a server, and serves calls of the server. It connects
// when a call needs it, shares the connection among all calls, and connects anew
// when it was lost.
type Client struct {
	endpoint
	url    string
	dialer ws.Dialer
	tls    *tls.Config
	header http.Header
	wrong  error // what is wrong with the options

	dialMu  sync.Mutex
	conn    *Conn    // nil before the first call
	attempt *attempt // under way, or nil

	life   context.Context // ends with Close
	cancel context.CancelFunc
}

// attempt is a dial that several calls wait for.
type attempt struct {
	done chan struct{} // closed when conn and err are set
	conn *Conn
	err  error
}

// errClientClosed does not name the URL, in which there may be a secret.
var errClientClosed = Errorf(CodeCanceled, "the client is closed")

// NewClient returns a client of the server at a URL: "wss://host/path", or ws for
// a connection without TLS. It does not connect. An option that is malformed
// fails the calls, with CodeInvalidArgument.
func NewClient(url string, opts ...ClientOption) *Client {
	c := &Client{url: url}
	c.init()
	c.life, c.cancel = context.WithCancel(context.Background())
	for _, o := range opts {
		o.applyClient(c)
	}
	c.dialer = ws.Dialer{
		Header:           c.header,
		TLSConfig:        c.tls,
		HandshakeTimeout: c.handshakeTimeout,
		ReadLimit:        c.readLimit,
	}
	if err := errors.Join(c.validate(), c.dialer.Validate()); err != nil {
		c.wrong = Errorf(CodeInvalidArgument, "options of the client: %w", err)
	}
	return c
}

// Dial connects to a server and returns the connection. Unlike a Client it does
// not connect anew when the connection is lost. ctx bounds the dial only.
func Dial(ctx context.Context, url string, opts ...ClientOption) (*Conn, error) {
	c := NewClient(url, opts...)
	c.single = true
	conn, err := c.Connect(ctx)
	if err != nil {
		_ = c.Close() // has no connections
		return nil, err
	}
	return conn, nil
}

// Open begins a call, on a new connection if there is none.
func (c *Client) Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error) {
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return conn.Open(ctx, m, opts...)
}

// Connect returns the client's connection, and makes it if there is none. ctx
// bounds the wait; a dial that others wait for goes on.
func (c *Client) Connect(ctx context.Context) (*Conn, error) {
	c.dialMu.Lock()
	if c.conn != nil && c.conn.usable() {
		defer c.dialMu.Unlock()
		return c.conn, nil
	}
	if c.life.Err() != nil {
		defer c.dialMu.Unlock()
		return nil, errClientClosed
	}
	a := c.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		c.attempt = a
		c.workers.run(func() { c.dial(a) })
	}
	c.dialMu.Unlock()
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, transportError(ctx.Err())
	}
}

// dial makes a connection for those who wait for the attempt.
func (c *Client) dial(a *attempt) {
	a.conn, a.err = c.connect()
	c.dialMu.Lock()
	c.conn, c.attempt = a.conn, nil
	c.dialMu.Unlock()
	close(a.done)
}

func (c *Client) connect() (*Conn, error) {
	if c.wrong != nil {
		return nil, c.wrong
	}
	link, err := c.dialer.Dial(c.life, c.url)
	switch {
	case err != nil && c.life.Err() != nil:
		return nil, errClientClosed
	case err != nil:
		return nil, Errorf(dialStatus(err), "%w", err)
	}
	return c.start(link, transport.Dialer, Peer{
		Addr:      link.RemoteAddr(),
		LocalAddr: link.LocalAddr(),
		TLS:       link.TLS(),
		Protocol:  link.Subprotocol(),
		Header:    link.Response(),
	})
}

// Close ends the connection and all calls on it, and refuses further ones.
func (c *Client) Close() error {
	c.cancel()
	c.close(transport.CloseNormal, "client closed")
	return nil
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
	case h.Status == http.StatusBadRequest && len(h.Server) == 0:
		return CodeInternal
	case h.Status < 400, h.Status == http.StatusBadRequest:
		return CodeUnimplemented // it speaks something else, or another version
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
