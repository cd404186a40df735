package rpc

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Peer is the other end of a connection.
type Peer struct {
	Host      string               // what the client has dialled, of the URL: "example.com:8080"
	Addr      net.Addr             // where it is
	LocalAddr net.Addr             // where this end is
	TLS       *tls.ConnectionState // nil without TLS, or if a proxy ended it
	Protocol  string               // the subprotocol in use: "parley.v1"
	Header    http.Header          // at a server: of the client's handshake; at a client: of the answer
}

// linkInfo is what the handshake of a link has told. It does not change.
type linkInfo struct {
	peer   Peer
	addr   string    // at a server: the address that the link is counted for
	expiry time.Time // at a server: of the credentials; zero: never
}

// knownLink is a link with what its handshake has told, for the connection that goes on
// with it.
type handshakeLink struct {
	transport.Link
	info *linkInfo
}

// relinked takes over what the handshake of a link has told that resumes the connection.
func (c *Conn) setLink(s *transport.Session) {
	if l, ok := s.Link().(*handshakeLink); ok {
		c.link.Store(l.info)
	}
}

// hostOf returns the host of a URL that was dialled, with the port if it has one.
func hostOf(dialled string) string {
	u, err := url.Parse(dialled)
	if err != nil {
		return ""
	}
	return u.Host
}
