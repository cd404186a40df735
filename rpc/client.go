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
// when a call needs it, shares the connection among all calls, and reconnects
// when the connection is lost.
//
// A broken link does not end the connection: the calls on it continue on the
// next link. Nor does a server that shuts down end calls: the client moves to
// another connection, and the old one lasts until its calls are over. If the
// session is lost, for example because the server was killed, its calls fail
// with CodeUnavailable.
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
	optionErr   error // the first invalid option; nil: none

	subConns    []*subConn
	nextSubConn atomic.Uint32 // for RoundRobin
	tasks       taskGroup     // connections that are shutting down
	watch       watch

	ctx      context.Context // canceled by Close
	cancel   context.CancelFunc
	shutDown atomic.Bool // Shutdown was called

	// dial makes a link: dialWebSocket, or dialLink with WithLinks.
	dial func(ctx context.Context, h dialRequest) (transport.Link, Peer, error)
}

// errClientClosed does not contain the URL, which may contain a secret.
var errClientClosed = Errorf(CodeCanceled, "the client is closed")

// NewClient returns a client of the server at a URL: "wss://host/path", or ws
// for a connection without TLS. It does not connect. If an option is invalid,
// every call fails with CodeInvalidArgument.
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
	if c.dialing.links != nil {
		c.dial = c.dialLink
	}
	if err := errors.Join(c.validate(), err, c.validateLinks(), c.retry.validate()); err != nil {
		c.optionErr = Errorf(CodeInvalidArgument, "options of the client: %w", err)
	}
	c.boundMessages(defaultMessageMemory)
	c.makeSubConns()
	return c
}

// Dial connects to a server and returns the connection. Unlike a Client, it
// does not reconnect when the connection has ended or the server goes away. In
// the latter case Conn.Draining is closed, new calls are served for a while and
// then fail with CodeUnavailable, and calls in flight finish. ctx bounds the
// dial only.
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

// Open starts a call, and connects if there is no connection.
//
// Without a connection, the call fails fast unless WithWaitForReady is set: it
// waits for the current connection attempt, or starts one, and fails if the
// attempt fails. Between attempts, the call fails at once with the error of the
// last one. While a lost link is replaced (StateResuming) or a server goes
// away, a call waits for the next connection in either case.
func (c *Client) Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error) {
	s, err := c.newStream(m, opts)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, &c.endpoint)
}

// openSend is Open for a call that takes one message, and sends that message.
func (c *Client) openSend(ctx context.Context, m *Method, only any, opts []CallOption) (Stream, error) {
	s, err := c.newStream(m, opts)
	if err != nil {
		return nil, err
	}
	return s.startSend(ctx, &c.endpoint, only)
}

// newUnary prepares a unary call.
func (c *Client) newUnary(m *Method, opts []CallOption) (*clientStream, *endpoint, error) {
	s, err := c.newStream(m, opts)
	return s, &c.endpoint, err
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

// Connect returns the client's connection. If there is none, it connects, as a
// call that fails fast does. Later calls of the client may use another
// connection, for example when this one goes away. ctx bounds the wait; a
// connection attempt that other calls wait for continues.
func (c *Client) Connect(ctx context.Context) (*Conn, error) {
	return c.pick(ctx, failFast, nil)
}

// Close ends the connection and all calls on it, and refuses new calls.
// Shutdown lets calls finish.
func (c *Client) Close() error {
	c.end(transport.CloseNormal, "client closed")
	return nil
}

// end closes the client with a close code, and waits for its goroutines.
func (c *Client) end(code transport.CloseCode, reason string) {
	c.cancel()
	for _, sc := range c.subConns {
		sc.close()
	}
	c.close(code, reason)
	c.tasks.wait()
}

// URLs returns the URLs of the servers as they were given. They may contain
// secrets.
func (c *Client) URLs() []string { return slices.Clone(c.urls) }

// pick returns the connection for a call. With waitForReady it waits until
// there is one, unless the server refuses this client. It avoids failed, the
// connection on which the call has just failed, if there is another subConn.
func (c *Client) pick(ctx context.Context, p waitMode, failed *Conn) (*Conn, error) {
	if len(c.subConns) == 1 {
		return c.subConns[0].get(ctx, p)
	}
	r := pickRound{first: int(c.nextSubConn.Add(1)), failedConn: failed}
	for {
		_, changed := c.watch.get()
		conn, err := c.nextConn(&r)
		switch {
		case conn != nil:
			return conn, nil
		case err != nil && (p == failFast || !isTransient(err) || isClosedError(err)):
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, c.subConns[r.first%len(c.subConns)].waitError(ctx)
		}
	}
}
