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

// maxResponse is how many bytes of header a server or proxy may answer with.
const maxResponse = 64 << 10

// maxBody is how much of an answer's body is kept.
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
	offered := spoken(d.Subprotocols)
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

// prepare checks all that can be checked before anything is sent.
func (a *attempt) prepare(rawURL string) (err error) {
	a.target, err = parseTarget(rawURL)
	if a.target.url != nil {
		a.failure.URL = shown(a.target.url)
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

// addCookies puts those of the jar beside those of the header, where there are
// both: gorilla would send the header's only.
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

// run makes the connection. An error comes with the stage that it arose in.
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

// connect makes the connection that goes to the target, through a proxy or not.
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

// upgrade sends the handshake of RFC 6455, section 4.1, and checks the answer.
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

	// gorilla heeds the deadline of a context but not its cancellation, so it
	// gets neither: the connection is cut when ctx ends.
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
	if err := a.checkAnswer(resp); err != nil {
		_ = c.Close(transport.CloseProtocolError, a.failure.reason) // what failed is the dial
		return nil, err
	}
	return c, nil
}

// tokens returns what the handshake offers, names of protocols and others.
func (a *attempt) tokens() []string {
	if !a.dialer.NewSession {
		return a.offered
	}
	return append(slices.Clip(a.offered), newSession)
}

// refused says why gorilla returned err, with resp if there was an answer.
func (a *attempt) refused(resp *http.Response, err error) error {
	if resp != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		a.failure.answered(resp, a.redacted(string(body)))
		return a.failure
	}
	var lost *lostError
	switch {
	case errors.Is(err, errNoCloseFrame):
		return fmt.Errorf("the server closed the connection without an answer: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &lost):
		return fmt.Errorf("no answer to the handshake: %w", lost.err)
	}
	var network net.Error
	if errors.As(err, &network) {
		return fmt.Errorf("no answer to the handshake: %w", err)
	}
	return errors.New("what answered does not speak HTTP: " + printable(a.redacted(err.Error()), 200))
}

// redact takes the credentials that this dial sent as subprotocols out of an answer's
// header.
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

// redacted is what a server says without the credentials that this dial sent as subprotocols.
func (a *attempt) redacted(said string) string {
	for _, token := range a.offered {
		if isBearer(token) {
			said = strings.ReplaceAll(said, token, bearerPrefix+"...")
		}
	}
	return said
}

// checkAnswer checks what of a valid upgrade gorilla leaves to its caller.
func (a *attempt) checkAnswer(resp *http.Response) error {
	f := a.failure
	chosen := resp.Header.Values("Sec-WebSocket-Protocol")
	switch {
	case len(resp.Header.Values("Sec-WebSocket-Extensions")) > 0:
		f.reason = "the server turned on a WebSocket extension that was not offered"
	case len(chosen) == 0:
		f.reason = "a WebSocket server, but it chose none of the subprotocols offered: " + list(f.OfferedSubprotocols)
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

// tlsConfig is what a WebSocket to host needs of cfg.
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
