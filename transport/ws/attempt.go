package ws

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/parley-rpc/parley/transport"
)

// maxResponse is how many bytes the header of a server's or proxy's response
// may have.
const maxResponse = 64 << 10

// maxBody is how many bytes of a response's body are kept.
const maxBody = 1 << 10

// attempt is one dial.
type attempt struct {
	dialer  *Dialer
	offered []string
	target  target
	header  http.Header
	failure *HandshakeError
}

func newAttempt(d *Dialer) *attempt {
	offered := subprotocolsOrDefault(d.Subprotocols)
	return &attempt{
		dialer:  d,
		offered: offered,
		failure: &HandshakeError{OfferedSubprotocols: withoutBearers(offered)},
	}
}

func (a *attempt) failed(stage Stage, err error) error {
	a.failure.Stage = stage
	if !errors.Is(err, a.failure) {
		a.failure.err = err
	}
	return a.failure
}

// prepare checks what can be checked before anything is sent.
func (a *attempt) prepare(rawURL string) (err error) {
	a.target, err = parseTarget(rawURL)
	if a.target.url != nil {
		a.failure.URL = publicURL(a.target.url)
	}
	if err != nil {
		return err
	}
	if err := a.dialer.check(); err != nil {
		return fmt.Errorf("Dialer.%w", err)
	}
	a.header = make(http.Header)
	for name, values := range a.dialer.Header {
		for _, value := range values {
			a.header.Add(name, value)
		}
	}
	a.addCookies()
	return nil
}

// addCookies adds the cookies of the jar to those of the header, if there are
// both: gorilla would send only those of the header.
func (a *attempt) addCookies() {
	own := a.header.Values("Cookie")
	if a.dialer.Jar == nil || len(own) == 0 {
		return
	}
	r := http.Request{Header: a.header}
	r.Header.Set("Cookie", strings.Join(own, "; "))
	for _, c := range a.dialer.Jar.Cookies(a.target.httpURL()) {
		r.AddCookie(c)
	}
}

// run makes the connection. It returns the stage in which an error occurred.
func (a *attempt) run(ctx context.Context) (*Conn, Stage, error) {
	conn, stage, err := a.connect(ctx)
	if err != nil {
		return nil, stage, err
	}
	if a.target.secure {
		secure := tls.Client(conn, tlsConfig(a.dialer.TLSConfig, a.target.url.Hostname()))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = bottom(conn).Close()
			return nil, StageTLS, tlsError(err)
		}
		conn = secure
	}
	c, err := a.upgrade(ctx, conn)
	if err != nil {
		_ = bottom(conn).Close()
		return nil, StageUpgrade, err
	}
	return c, "", nil
}

// connect makes the connection to the target, through a proxy or not.
func (a *attempt) connect(ctx context.Context) (net.Conn, Stage, error) {
	via, err := a.proxy()
	if err != nil {
		return nil, StageProxy, err
	}
	dial := a.dialer.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if via == nil {
		conn, err := dial(ctx, "tcp", a.target.addr)
		return conn, StageConnect, err
	}

	conn, err := dial(ctx, "tcp", via.addr)
	if err != nil {
		return nil, StageProxy, fmt.Errorf("cannot reach the proxy %s: %w", via.addr, err)
	}
	tunnel, err := a.tunnel(ctx, conn, via)
	if err != nil {
		_ = bottom(conn).Close()
		return nil, StageProxy, err
	}
	return tunnel, "", nil
}

// upgrade sends the handshake of RFC 6455, section 4.1, and checks the
// response.
func (a *attempt) upgrade(ctx context.Context, conn net.Conn) (*Conn, error) {
	c := &Conn{}
	c.in.conn, c.in.budget = conn, maxResponse
	dial := func(context.Context, string, string) (net.Conn, error) { return c.in.wrap(), nil }
	dialer := websocket.Dialer{
		NetDialContext:    dial,
		NetDialTLSContext: dial,
		Subprotocols:      a.tokens(),
		Jar:               a.dialer.Jar,
		ReadBufferSize:    readBufferSize,
		WriteBufferSize:   writeBufferSize,
		WriteBufferPool:   &writeBuffers,
	}

	// gorilla respects the deadline of a context but not its cancellation, so
	// it gets neither: the connection is closed when ctx ends.
	stop := context.AfterFunc(ctx, func() { _ = bottom(conn).Close() })
	ws, resp, err := dialer.DialContext(context.WithoutCancel(ctx), a.target.url.String(), a.header)
	a.redact(resp)
	if err != nil {
		stop()
		return nil, a.refused(resp, err)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	c.in.setBudget(unlimited)
	c.response = resp.Header
	limit := a.dialer.ReadLimit
	if limit == 0 {
		limit = defaultReadLimit
	}
	c.open(ws, limit)
	if err := a.checkResponse(resp); err != nil {
		_ = c.Close(transport.CloseProtocolError, a.failure.reason) // what failed is the dial
		return nil, err
	}
	return c, nil
}

// tokens returns what the handshake offers: names of protocols, and other
// tokens.
func (a *attempt) tokens() []string {
	if !a.dialer.NewSession {
		return a.offered
	}
	return append(slices.Clip(a.offered), newSession)
}

// refused returns why gorilla returned err, with resp if there was a response.
func (a *attempt) refused(resp *http.Response, err error) error {
	if resp != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		a.failure.setAnswer(resp, a.redacted(string(body)))
		return a.failure
	}
	var lost *lostError
	switch {
	case errors.Is(err, errNoCloseFrame):
		return fmt.Errorf("the server closed the connection without a response: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &lost):
		return fmt.Errorf("no response to the handshake: %w", lost.err)
	}
	var network net.Error
	if errors.As(err, &network) {
		return fmt.Errorf("no response to the handshake: %w", err)
	}
	return errors.New("the server does not speak HTTP: " + printable(a.redacted(err.Error()), 200))
}

// redact removes the credentials that this dial sent as subprotocols from the
// header of a response.
func (a *attempt) redact(resp *http.Response) {
	if resp == nil {
		return
	}
	for _, values := range resp.Header {
		for i := range values {
			values[i] = a.redacted(values[i])
		}
	}
}

// redacted removes the credentials that this dial sent as subprotocols from a
// text of the server.
func (a *attempt) redacted(said string) string {
	for _, token := range a.offered {
		if isBearer(token) {
			said = strings.ReplaceAll(said, token, bearerPrefix+"...")
		}
	}
	return said
}

// checkResponse checks what gorilla leaves to its caller of a valid upgrade.
func (a *attempt) checkResponse(resp *http.Response) error {
	f := a.failure
	chosen := resp.Header.Values("Sec-WebSocket-Protocol")
	switch {
	case len(resp.Header.Values("Sec-WebSocket-Extensions")) > 0:
		f.reason = "the server turned on a WebSocket extension that was not offered"
	case len(chosen) == 0:
		f.reason = "the server does not speak " + list(f.OfferedSubprotocols) + ": it chose no subprotocol"
	case len(chosen) == 1 && slices.Contains(f.OfferedSubprotocols, chosen[0]):
		return nil
	case slices.ContainsFunc(chosen, isBearer):
		f.reason = "the server chose the credential as the subprotocol, instead of one of " + list(f.OfferedSubprotocols)
		resp.Header.Del("Sec-WebSocket-Protocol")
	default:
		f.ServerSubprotocols = []string{printable(strings.Join(chosen, ", "), 100)}
		f.reason = fmt.Sprintf("the server chose the subprotocol %s, this client offered %s", f.ServerSubprotocols[0], list(f.OfferedSubprotocols))
	}
	f.Status, f.Header = resp.StatusCode, resp.Header
	return f
}

// tlsConfig returns cfg for a WebSocket to host.
func tlsConfig(cfg *tls.Config, host string) *tls.Config {
	if cfg == nil {
		cfg = &tls.Config{}
	} else {
		cfg = cfg.Clone()
	}
	cfg.NextProtos = []string{"http/1.1"}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}

func tlsError(err error) error {
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return fmt.Errorf("the server does not speak TLS on this port: %w", err)
	}
	return fmt.Errorf("TLS failed: %w", err)
}
