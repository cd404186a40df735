package otelparley

import (
	"net"
	"net/netip"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/parley-rpc/parley/rpc"
)

// statusName is gRPC's name of a code.
func statusName(c rpc.Code) string {
	if c == rpc.CodeCanceled {
		return "CANCELLED" // of the two spellings that gRPC has, the one of its specification
	}
	return c.String()
}

// address returns the host that serves a call, or "" if it is not known.
type address func(*rpc.Call) string

// dialled is the address of a server: the host of the URL that was dialed. A Client
// knows which one it was when the call is open.
func dialled(c *rpc.Call) string {
	if c.Peer == nil {
		return ""
	}
	return c.Peer.Host
}

// nowhere is the address of a client that its server calls.
func nowhere(*rpc.Call) string { return "" }

// serverAttributes name the server as it was dialled.
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
