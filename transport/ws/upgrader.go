package ws

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultReadLimit        = 1 << 20
)

// Upgrader makes WebSockets from HTTP requests. The zero value is ready for
// use. Several goroutines may use it at once, and must not change it meanwhile.
type Upgrader struct {
	// Origins are the origins whose pages may connect, in addition to the
	// server's own: "https://example.com", "https://*.example.com" (every name
	// under it, not itself), "http://localhost:*" (any port), "null" (sandboxed
	// pages and files), "*" (every page). Without a port, the scheme's port is
	// meant. A request without an Origin header does not come from a page and
	// is admitted.
	Origins []string

	// SecureOrigin says that browsers reach the server only by TLS, which ends
	// at a proxy: the server's own origin is one of https. Without it, a proxy
	// must say so, by "https" or "wss" as the first element of
	// X-Forwarded-Proto, or by Forwarded.
	SecureOrigin bool

	// Hosts are the names by which pages may reach the server: "example.com",
	// "*.example.com" (every name under it, not itself), "127.0.0.1", "[::1]",
	// on every port, or "*" for all. A page that has used another name is
	// refused with 403: the name of its site may have been made to resolve to
	// this server (DNS rebinding). If Hosts is empty, all names are valid, with
	// one exception: if a request comes over the loopback interface, without
	// TLS and without a header that a proxy sets, a page of the server's own
	// origin must come from localhost, a name under it, or a loopback address.
	Hosts []string

	// HandshakeTimeout bounds the writing of the response; 10 s if zero. The
	// http.Server bounds the reading of the request.
	HandshakeTimeout time.Duration

	// ReadLimit is the size in bytes of the largest message that is accepted; 1
	// MiB if zero. It is checked against what a frame announces, before
	// anything is buffered.
	ReadLimit int64

	// Subprotocols are what the server speaks, best first; Subprotocol if
	// empty.
	Subprotocols []string

	// Admit, if set, decides on a valid handshake, by credentials and policy; a
	// nil result admits it. A credential that came as the subprotocol
	// "parley.bearer.<base64url>" is in r as an Authorization header.
	Admit func(r *http.Request) *RefusalError
}

// Validate returns an error that names the first field that cannot be used.
// Upgrade does not call it: an invalid pattern in Origins admits no page.
func (u *Upgrader) Validate() error {
	err := errors.Join(checkPatterns(u.Origins), validateHosts(u.Hosts))
	switch {
	case err != nil:
	case u.HandshakeTimeout < 0:
		err = fmt.Errorf("HandshakeTimeout is negative: %v", u.HandshakeTimeout)
	case u.ReadLimit < 0:
		err = fmt.Errorf("ReadLimit is negative: %d", u.ReadLimit)
	default:
		err = checkSubprotocols(u.Subprotocols)
	}
	if err != nil {
		return fmt.Errorf("ws: Upgrader.%w", err)
	}
	return nil
}

// Upgrade answers the handshake of a client (RFC 6455, section 4.2). When it
// returns an error, it has sent an HTTP status and a text that says what is
// wrong, or the client has closed the connection.
//
// It checks the origin and the subprotocol before it upgrades. It sends the
// headers in w.Header too, so that a handler can set a cookie. The handler
// should return soon: until then the buffers of the HTTP server stay in memory.
// The request's context ends then; the connection does not. The deadlines of
// the HTTP server no longer apply.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	shown, subprotocol, refused := u.check(r)
	if refused != nil {
		refused.answer(w)
		return nil, refused
	}
	if u.Admit != nil {
		if refusal := u.Admit(shown); refusal != nil {
			return nil, u.refuse(w, r, subprotocol, refusal)
		}
	}
	return u.upgrade(w, r, subprotocol)
}

// upgrade answers a valid handshake.
func (u *Upgrader) upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) (*Conn, error) {
	c := &Conn{server: true}
	limit := u.ReadLimit
	if limit == 0 {
		limit = defaultReadLimit
	}
	timeout := u.HandshakeTimeout
	if timeout == 0 {
		timeout = defaultHandshakeTimeout
	}
	up := websocket.Upgrader{
		HandshakeTimeout: timeout,
		WriteBufferSize:  writeBufferSize,
		WriteBufferPool:  &writeBuffers,
		CheckOrigin:      func(*http.Request) bool { return true }, // checked
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			http.Error(w, reason.Error(), status)
		},
	}
	ws, err := up.Upgrade(&hijacker{w, c}, r, responseHeader(w, subprotocol))
	if err != nil {
		return nil, fmt.Errorf("ws: upgrade: %w", err)
	}
	c.open(ws, limit)
	return c, nil
}

// check decides whether r is valid, and which subprotocol it gets. It returns r
// as an application may see it.
func (u *Upgrader) check(r *http.Request) (*http.Request, string, *refusal) {
	if refused := checkRequest(r); refused != nil {
		if refused.status == http.StatusUpgradeRequired {
			refused = u.answerPage(r, refused)
		}
		return nil, "", refused
	}
	if refused := u.checkOrigin(r); refused != nil {
		return nil, "", refused
	}
	speaks := subprotocolsOrDefault(u.Subprotocols)
	offers, err := offered(r)
	if err != nil {
		return nil, "", refuse(http.StatusBadRequest, "Sec-WebSocket-Protocol is malformed: %v.", err)
	}
	shown, err := moveBearer(r, offers)
	if err != nil {
		return nil, "", refuse(http.StatusBadRequest, "The bearer subprotocol is malformed: %v.", err)
	}
	offers = withoutBearers(offers)
	if chosen := choose(speaks, offers); chosen != "" {
		return shown, chosen, nil
	}
	offer := "the client offered none (Sec-WebSocket-Protocol)"
	if len(offers) > 0 {
		offer = "the client offered " + list(offers)
	}
	speaks = withoutBearers(speaks)
	return nil, "", refuse(http.StatusBadRequest, "No subprotocol in common: this server speaks %s; %s.", list(speaks), offer).
		with(versionsHeader, list(speaks))
}

func (u *Upgrader) checkOrigin(r *http.Request) *refusal {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return nil // not a browser
	}
	if len(values) > 1 {
		return refuse(http.StatusForbidden, "The request has %d Origin headers.", len(values))
	}
	listed := allowed(u.Origins, values[0])
	if o, err := parseOrigin(values[0]); !listed && (err != nil || !u.hasOrigin(r, o)) {
		return refuse(http.StatusForbidden,
			"Pages of the origin %.200q may not connect to %.200q. The server can allow them by its list of origins; "+
				"a proxy before it has to pass the Host header on.", values[0], r.Host)
	}
	if listed && len(u.Hosts) == 0 {
		return nil
	}
	return u.checkHost(r)
}

// responseHeader returns the headers of the response that gorilla does not set.
func responseHeader(w http.ResponseWriter, subprotocol string) http.Header {
	header := w.Header().Clone()
	if header == nil {
		header = make(http.Header)
	}
	for _, name := range []string{
		"Connection", "Upgrade", "Content-Length", "Content-Type", "Transfer-Encoding", "Trailer",
		"Sec-Websocket-Accept", "Sec-Websocket-Extensions",
	} {
		header.Del(name)
	}
	header.Set("Sec-WebSocket-Protocol", subprotocol)
	return header
}

// hijacker gives gorilla the connection through the Conn's inbound.
type hijacker struct {
	http.ResponseWriter
	conn *Conn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	// ResponseController finds the Hijacker of a wrapped ResponseWriter.
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		err = fmt.Errorf("a middleware hides the http.Hijacker of the server: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	h.conn.in.conn = conn
	h.conn.in.budget = unlimited
	wrapped := h.conn.in.wrap()
	if rw.Reader.Buffered() == 0 { // else gorilla refuses bytes that came too early
		// gorilla reads through this reader, because it gets no other size. It
		// need hold no more than what gorilla peeks at.
		rw.Reader = bufio.NewReaderSize(wrapped, lookAhead)
		h.conn.in.watch(rw.Reader)
	}
	return wrapped, rw, nil
}

// isKey reports whether s is 16 bytes in base64.
func isKey(s string) bool {
	key, err := base64.StdEncoding.DecodeString(s)
	return err == nil && len(key) == 16
}
