package rpc

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
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

// hostOf returns the host of a URL that was dialled, with the port if it has one.
func hostOf(dialled string) string {
	u, err := url.Parse(dialled)
	if err != nil {
		return ""
	}
	return u.Host
}
