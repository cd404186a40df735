package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/parley-rpc/parley/ext/cluster/internal/gen/parley/cluster/v1"
	"github.com/parley-rpc/parley/rpc"
)

// encodeRelayStart returns the first message of a relayed link, for the node
// that serves it.
func encodeRelayStart(ctx context.Context, peer *rpc.Peer, session []byte) ([]byte, error) {
	return proto.Marshal(newRelayStart(ctx, peer, session))
}

// newRelayStart returns what this node knows of a client, for another one that
// has the session. ctx has the principal and the expiry.
func newRelayStart(ctx context.Context, peer *rpc.Peer, session []byte) *clusterv1.RelayStart {
	s := &clusterv1.RelayStart{
		Session:      session,
		Principal:    []byte(rpc.Principal(ctx)),
		Host:         []byte(peer.Host),
		Address:      encodeAddress(peer.Addr),
		LocalAddress: encodeAddress(peer.LocalAddr),
		Protocol:     []byte(peer.Protocol),
		RequestUri:   []byte(peer.RequestURI),
	}
	if ends, ok := rpc.Expiry(ctx); ok {
		s.ExpiryUs = ends.UnixMicro()
	}
	for name, values := range peer.Header {
		for _, v := range values {
			s.Header = append(s.Header, &clusterv1.HeaderField{Name: []byte(name), Value: []byte(v)})
		}
	}
	if t := peer.TLS; t != nil {
		s.Tls = &clusterv1.TLSState{
			Version: uint32(t.Version), CipherSuite: uint32(t.CipherSuite),
			ServerName: []byte(t.ServerName), Verified: len(t.VerifiedChains) > 0,
		}
		for _, c := range t.PeerCertificates {
			s.Tls.PeerCertificates = append(s.Tls.PeerCertificates, c.Raw)
		}
	}
	return s
}

// decodeRelayStart returns what the node that has accepted a link knows of its
// client. ctx gets the principal and the expiry.
func decodeRelayStart(ctx context.Context, s *clusterv1.RelayStart) (context.Context, rpc.Peer, error) {
	peer := rpc.Peer{
		Host:       string(s.Host),
		Addr:       decodeAddress(s.Address),
		LocalAddr:  decodeAddress(s.LocalAddress),
		Protocol:   string(s.Protocol),
		RequestURI: string(s.RequestUri),
		Header:     make(http.Header),
	}
	for _, f := range s.Header {
		peer.Header[string(f.Name)] = append(peer.Header[string(f.Name)], string(f.Value))
	}
	if s.Tls != nil {
		var err error
		if peer.TLS, err = decodeTLS(s.Tls); err != nil {
			return nil, rpc.Peer{}, err
		}
	}
	ctx = rpc.WithPrincipal(ctx, string(s.Principal))
	if s.ExpiryUs != 0 {
		ctx = rpc.WithExpiry(ctx, time.UnixMicro(s.ExpiryUs))
	}
	return ctx, peer, nil
}

func decodeTLS(s *clusterv1.TLSState) (*tls.ConnectionState, error) {
	t := &tls.ConnectionState{
		Version: uint16(s.Version), CipherSuite: uint16(s.CipherSuite), //nolint:gosec // which they were
		ServerName: string(s.ServerName), HandshakeComplete: true,
	}
	for _, raw := range s.PeerCertificates {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, fmt.Errorf("certificate of the client: %w", err)
		}
		t.PeerCertificates = append(t.PeerCertificates, c)
	}
	if s.Verified && len(t.PeerCertificates) > 0 {
		t.VerifiedChains = [][]*x509.Certificate{t.PeerCertificates}
	}
	return t, nil
}

// address is a net.Addr of another machine.
type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }

func encodeAddress(a net.Addr) *clusterv1.Address {
	if a == nil {
		return nil
	}
	return &clusterv1.Address{Network: a.Network(), Address: a.String()}
}

func decodeAddress(a *clusterv1.Address) net.Addr {
	if a == nil {
		return nil
	}
	if a.Network == "tcp" {
		if tcp, err := net.ResolveTCPAddr("tcp", a.Address); err == nil { // no name: it does not ask DNS
			return tcp
		}
	}
	return address{a.Network, a.Address}
}
