package grpcparley

import (
	"crypto/tls"
	"net/url"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/rpc"
)

// AuthInfo is the AuthInfo of a peer whose connection has no TLS at this end, but of
// which the server's authentication has found who it is (rpc.WithAuthentication). With
// TLS a peer has a credentials.TLSInfo, as in grpc; rpc.Principal tells of the
// principal in both cases.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Principal string
}

// AuthType returns "parley".
func (AuthInfo) AuthType() string { return "parley" }

// toPeer returns the peer of a connection in grpc's type.
func toPeer(p *rpc.Peer, principal string) *peer.Peer {
	out := &peer.Peer{Addr: p.Addr, LocalAddr: p.LocalAddr}
	switch {
	case p.TLS != nil:
		out.AuthInfo = tlsInfo(*p.TLS)
	case principal != "":
		out.AuthInfo = AuthInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, principal}
	}
	return out
}

// tlsInfo is what grpc's own credentials tell of TLS.
func tlsInfo(state tls.ConnectionState) credentials.TLSInfo {
	return credentials.TLSInfo{
		State:          state,
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		SPIFFEID:       spiffeID(state),
	}
}

// spiffeID returns the identity in the peer's certificate, if it is one of SPIFFE: then
// it has no other URI.
func spiffeID(state tls.ConnectionState) *url.URL {
	if len(state.PeerCertificates) == 0 || len(state.PeerCertificates[0].URIs) != 1 {
		return nil
	}
	if id := state.PeerCertificates[0].URIs[0]; id.Scheme == "spiffe" && id.Host != "" {
		return id
	}
	return nil
}
