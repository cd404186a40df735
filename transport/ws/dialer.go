package ws

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"
)

// Dialer makes WebSockets to servers. The zero value is ready for use. Several
// goroutines may use it at once, and must not change it meanwhile.
type Dialer struct {
	// Header is sent with the handshake. Host replaces the URL's in the
	// request; the headers of the handshake itself are refused, as are names
	// and values that HTTP does not allow: control characters.
	Header http.Header

	// TLSConfig is used for wss. The default of ServerName is the URL's host.
	// NextProtos is ignored: a WebSocket runs over HTTP/1.1.
	TLSConfig *tls.Config

	// Proxy returns the HTTP proxy for a request, "http" or "https", or nil for
	// none; http.ProxyFromEnvironment if nil. The connection is tunnelled by
	// CONNECT. A user in the proxy's URL becomes its Proxy-Authorization.
	Proxy func(*http.Request) (*url.URL, error)

	// NetDial makes the TCP connection, to the proxy if there is one; a
	// net.Dialer if nil.
	NetDial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Jar has the cookies to send and receives those of the server's response.
	Jar http.CookieJar

	// HandshakeTimeout bounds a dial as a whole: connection, proxy, TLS and
	// upgrade; 10 s if zero. The context bounds it too.
	HandshakeTimeout time.Duration

	// ReadLimit is the size in bytes of the largest message that is accepted; 1
	// MiB if zero. It is checked against what a frame announces, before
	// anything is buffered.
	ReadLimit int64

	// Subprotocols are what the client speaks, best first; Subprotocol if
	// empty. A token "parley.bearer.<credential>" is offered too, but never
	// accepted.
	Subprotocols []string

	// NewSession says that the link starts a session and does not resume one.
	// The token "parley.new" among the subprotocols tells the server. A server
	// that drains admits only links that may resume a session. It can refuse
	// the others before the upgrade, so that a proxy in front of it asks
	// another server.
	NewSession bool
}

// handshakeHeaders are the headers that Dial writes itself.
var handshakeHeaders = []string{
	"Connection", "Upgrade", "Content-Length", "Transfer-Encoding",
	"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions",
}

// Validate returns an error that names the first field that cannot be used.
// Dial calls it too.
func (d *Dialer) Validate() error {
	if err := d.check(); err != nil {
		return fmt.Errorf("ws: Dialer.%w", err)
	}
	return nil
}

func (d *Dialer) check() error {
	for name, values := range d.Header {
		if slices.Contains(handshakeHeaders, http.CanonicalHeaderKey(name)) {
			return fmt.Errorf("Header: %s belongs to the handshake", name)
		}
		if err := checkField(name, values); err != nil {
			return fmt.Errorf("Header: %w", err)
		}
	}
	switch {
	case d.HandshakeTimeout < 0:
		return fmt.Errorf("HandshakeTimeout is negative: %v", d.HandshakeTimeout)
	case d.ReadLimit < 0:
		return fmt.Errorf("ReadLimit is negative: %d", d.ReadLimit)
	}
	return checkSubprotocols(d.Subprotocols)
}

// checkField returns why a header cannot be sent (RFC 9110, section 5.5). UTF-8
// can, although its receiver may decode it as something else. The error does
// not contain the value, which may be a secret.
func checkField(name string, values []string) error {
	if !isToken(name) {
		return fmt.Errorf("%.100q cannot be the name of a header", name)
	}
	for _, value := range values {
		for i := range len(value) {
			if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
				return fmt.Errorf("the value of %.100s has the control character %#02x at byte %d, which HTTP does not allow", name, c, i)
			}
		}
	}
	return nil
}

// Dial connects to a WebSocket server at a URL with the scheme ws or wss (http
// and https mean the same). Every error is a *HandshakeError. ctx bounds the
// dial; once Dial has returned, ctx has no effect on the connection.
func (d *Dialer) Dial(ctx context.Context, url string) (*Conn, error) {
	a := newAttempt(d)
	if err := a.prepare(url); err != nil {
		return nil, a.failed(StageConfig, err)
	}
	timeout := d.HandshakeTimeout
	if timeout == 0 {
		timeout = defaultHandshakeTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	c, stage, err := a.run(bounded)
	switch {
	case err == nil:
		return c, nil
	case a.failure.Status != 0: // a response says more than an expired deadline
	case ctx.Err() != nil:
		err = ctx.Err()
	case expired(ctx):
		err = context.DeadlineExceeded
	case expired(bounded):
		err = fmt.Errorf("no connection within %v: %w", timeout, os.ErrDeadlineExceeded)
	}
	return nil, a.failed(stage, err)
}

// expired reports whether the deadline of a context has passed. Its Err may not
// say so yet: the network has its own timer.
func expired(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}
