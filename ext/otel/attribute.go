package otelparley

import (
	"net"
	"net/netip"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/parley-rpc/parley/rpc"
)

// statusName returns gRPC's name of a code.
func statusName(c rpc.Code) string {
	if c == rpc.CodeCanceled {
		return "CANCELLED" // the spelling of gRPC's specification
	}
	return c.String()
}

// address returns the host of the callee, "" if it is not known.
type address func(*rpc.Call) string

// dialed returns the address of a dialed peer: the host of the URL. A Client
// knows it when the call is open.
func dialed(c *rpc.Call) string {
	if c.Peer == nil {
		return ""
	}
	return c.Peer.Host
}

// nowhere is the address of a peer that has dialed and is called back.
func nowhere(*rpc.Call) string { return "" }

// serverAttributes name the server as it was dialed.
func serverAttributes(host string) []attribute.KeyValue {
	if host == "" {
		return nil
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return []attribute.KeyValue{semconv.ServerAddress(host)}
	}
	attributes := []attribute.KeyValue{semconv.ServerAddress(name)}
	if n, err := strconv.Atoi(port); err == nil {
		attributes = append(attributes, semconv.ServerPort(n))
	}
	return attributes
}

// peerAttributes name the peer of the network connection.
func peerAttributes(p *rpc.Peer) []attribute.KeyValue {
	if p == nil || p.Addr == nil {
		return nil
	}
	at, err := netip.ParseAddrPort(p.Addr.String())
	if err != nil {
		return []attribute.KeyValue{semconv.NetworkPeerAddress(p.Addr.String())}
	}
	return []attribute.KeyValue{
		semconv.NetworkPeerAddress(at.Addr().String()),
		semconv.NetworkPeerPort(int(at.Port())),
	}
}
