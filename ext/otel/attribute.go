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

// serverAttributes name the server as the client has dialled it.
func serverAttributes(p *rpc.Peer) []attribute.KeyValue {
	if p == nil || p.Host == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(p.Host)
	if err != nil {
		return []attribute.KeyValue{semconv.ServerAddress(p.Host)}
	}
	attributes := []attribute.KeyValue{semconv.ServerAddress(host)}
	if n, err := strconv.Atoi(port); err == nil {
		attributes = append(attributes, semconv.ServerPort(n))
	}
	return attributes
}

// peerAttributes name the other end of the network connection.
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
