package rpc

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Peer is the remote end of a connection.
type Peer struct {
	Host       string               // that the client has dialed, as in the URL: "example.com:8080"
	Addr       net.Addr             // remote address
	LocalAddr  net.Addr             // address of this end
	TLS        *tls.ConnectionState // nil without TLS, or if a proxy terminates it
	Protocol   string               // the negotiated subprotocol: "parley.v1"
	RequestURI string               // at a server: what the client has requested: "/rpc?room=42"
	Header     http.Header          // at a server of the client's handshake, at a client of the response
}

// linkInfo describes a link by its handshake. It does not change.
type linkInfo struct {
	peer   Peer
	addr   string    // at a server: the address for which the link counts
	expiry time.Time // at a server: of the credentials; zero: never
}

// handshakeLink is a link with the information of its handshake, for the
// connection that continues on it.
type handshakeLink struct {
	transport.Link
	info *linkInfo
}

// Unwrap returns the link that the information is about.
func (l *handshakeLink) Unwrap() transport.Link { return l.Link }

// setLink takes the information of the link that resumes the connection.
func (c *Conn) setLink(s *transport.Session) {
	if l, ok := s.Link().(*handshakeLink); ok {
		c.link.Store(l.info)
	}
}

// hostOf returns the host of a dialed URL, with the port if it has one.
func hostOf(dialed string) string {
	u, err := url.Parse(dialed)
	if err != nil {
		return ""
	}
	return u.Host
}
