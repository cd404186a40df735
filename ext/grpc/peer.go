package grpcparley

import (
	"crypto/tls"
	"net/url"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/ext/grpc/internal/translate"
	"github.com/parley-rpc/parley/rpc"
)

// AuthInfo is the AuthInfo of a peer whose connection has no TLS at this end,
// but whose principal the server's authentication has determined
// (rpc.WithAuthentication). With TLS a peer has a credentials.TLSInfo, as in
// grpc. rpc.Principal returns the principal in both cases.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Principal string
}

// AuthType returns "parley".
func (AuthInfo) AuthType() string { return "parley" }

// toPeer converts the peer of a connection to grpc's type.
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

// tlsInfo returns the same information about TLS as grpc's own credentials.
func tlsInfo(state tls.ConnectionState) credentials.TLSInfo {
	return credentials.TLSInfo{
		State:          state,
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		SPIFFEID:       spiffeID(state),
	}
}

// spiffeID returns the SPIFFE identity in the peer's certificate, if it has one
// and no other URI.
func spiffeID(state tls.ConnectionState) *url.URL {
	if len(state.PeerCertificates) == 0 || len(state.PeerCertificates[0].URIs) != 1 {
		return nil
	}
	if id := state.PeerCertificates[0].URIs[0]; id.Scheme == "spiffe" && id.Host != "" {
		return id
	}
	return nil
}

// peerMetadata is what grpc adds to the metadata of a peer's calls.
type peerMetadata struct {
	of        *rpc.Peer
	authority []string // empty: none
	agent     []string // likewise
}

// peerMetadataOf returns that of a peer. It keeps the last one, since many
// servers behind a proxy have few connections, with many calls each.
func (r *Registrar) peerMetadataOf(p *rpc.Peer) *peerMetadata {
	if last := r.last.Load(); last != nil && last.of == p {
		return last
	}
	next := &peerMetadata{of: p}
	if p.Host != "" {
		next.authority = []string{p.Host}
	}
	if agent := translate.HeaderValues(p.Header, "User-Agent"); len(agent) > 0 && agent[0] != "" {
		next.agent = agent[:1:1]
	}
	r.last.Store(next)
	return next
}
