package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Client makes calls to a server, and serves calls of the server. It connects
// when a call needs it, shares the connection among all calls, and connects again,
// by itself, when it was lost.
//
// A link that breaks does not end the connection: the calls on it go on with the
// next link. A server that goes away in good order does not end calls either: the
// client moves to another connection, and the old one lasts until its calls are over.
// What ends it, such as a server that was killed, ends the calls with CodeUnavailable.
type Client struct {
	endpoint
	urls        []string
	balancer    Balancer
	dialer      ws.Dialer
	tls         *tls.Config
	header      http.Header
	credentials func(context.Context) (http.Header, error)
	dialing     dialing
	retry       *retryBudget
	optionErr   error // what is wrong with the options

	subConns    []*subConn
	nextSubConn atomic.Uint32 // of the lines, for RoundRobin
	tasks       taskGroup     // connections that are left
	watch       watch

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	// dial makes a link, as dialWebSocket does.
	dial func(ctx context.Context, h dialRequest) (transport.Link, Peer, error)
}

// errClientClosed does not name the URL, in which there may be a secret.
var errClientClosed = Errorf(CodeCanceled, "the client is closed")

// NewClient returns a client of the server at a URL: "wss://host/path", or ws for
// a connection without TLS. It does not connect. An option that is malformed
// fails the calls, with CodeInvalidArgument.
func NewClient(url string, opts ...ClientOption) *Client {
	c := &Client{urls: []string{url}}
	c.init()
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, o := range opts {
		o.applyClient(c)
	}
	var err error
	c.dialer, err = c.newDialer()
	c.dial = c.dialWebSocket
	if err := errors.Join(c.validate(), err, c.retry.validate()); err != nil {
		c.optionErr = Errorf(CodeInvalidArgument, "options of the client: %w", err)
	}
	c.boundMessages(defaultMessageMemory)
	c.makeSubConns()
	return c
}

// Dial connects to a server and returns the connection. Unlike a Client it does
// not connect again when the connection has ended, nor when the server goes away: then
// Conn.Draining is closed, new calls are served for a while and fail with
// CodeUnavailable after that, and calls in flight finish. ctx bounds the dial only.
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
//
// Where there is no connection, the call fails fast unless WithWaitForReady says
// otherwise: it waits for the attempt to connect that is under way, or that it
// begins, and fails with that. While the client waits to try again because that has
// failed, the call fails at once, with the reason. A call that is made while a lost
// link is replaced (StateResuming), or a server goes away, waits in either case for what
// comes next.
func (c *Client) Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error) {
	s, err := c.newStream(m, opts)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, &c.endpoint)
}

func (c *Client) openSend(ctx context.Context, m *Method, only any, opts []CallOption) (Stream, error) {
	s, err := c.newStream(m, opts)
	if err != nil {
		return nil, err
	}
	return s.startSend(ctx, &c.endpoint, only)
}

func (c *Client) newStream(m *Method, opts []CallOption) (*clientStream, error) {
	if c.optionErr != nil {
		return nil, c.optionErr
	}
	s, err := newClientStream(&c.endpoint, nil, m, opts)
	if err == nil {
		s.client, s.state.buffer.enabled = c, true
	}
	return s, err
}

// Connect returns the client's connection, and makes it if there is none, as a
// call that fails fast does. It is the connection of that moment: calls of the client go
// to another one when it goes away. ctx bounds the wait; an attempt that others wait
// for goes on.
func (c *Client) Connect(ctx context.Context) (*Conn, error) {
	return c.pick(ctx, failFast, nil)
}

// Close ends the connection and all calls on it, and refuses further ones.
func (c *Client) Close() error {
	c.cancel()
	for _, l := range c.subConns {
		l.close()
	}
	c.close(transport.CloseNormal, "client closed")
	c.tasks.wait()
	return nil
}

// URLs returns the addresses of the servers as they were given. There may be a
// secret in them.
func (c *Client) URLs() []string { return slices.Clone(c.urls) }

// pick returns the connection for a call. One that waits does so until there is
// one, unless the server refuses this client. A connection on which the call has just
// failed (vain) is not returned while there is another line.
func (c *Client) pick(ctx context.Context, p waitMode, vain *Conn) (*Conn, error) {
	if len(c.subConns) == 1 {
		return c.subConns[0].get(ctx, p)
	}
	r := pickRound{first: int(c.nextSubConn.Add(1)), failedConn: vain}
	for {
		_, changed := c.watch.get()
		conn, err := c.nextConn(&r)
		switch {
		case conn != nil:
			return conn, nil
		case err != nil && (p == failFast || !isTransient(err)):
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, c.subConns[r.first%len(c.subConns)].waitError(ctx)
		}
	}
}
