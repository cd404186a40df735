package rpc

import (
	"crypto/tls"
	"net"
	"net/http"
)

// Peer is the other end of a connection.
type Peer struct {
	Addr      net.Addr             // where it is
	LocalAddr net.Addr             // where this end is
	TLS       *tls.ConnectionState // nil without TLS, or if a proxy ended it
	Protocol  string               // the subprotocol in use: "parley.v1"
	Header    http.Header          // at a server: of the client's handshake; at a client: of the answer
}
