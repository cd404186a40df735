package rpc

import (
	"fmt"
	"net/http"
	"runtime"
)

// Limits bound what all connections of a server cost together. The zero value of a
// field stands for its default. What a single connection costs is bounded by
// WithTransport; docs/limits.md is the table of everything.
type Limits struct {
	// MaxConnections is how many links there may be at once, handshakes included.
	// Beyond it clients get HTTP 503, pages close code 4014. Connections without a link
	// count too, but make room for new ones: of the principal, or of the address where
	// there is none, that has most of them, the one gone longest ends. Default 50,000.
	MaxConnections int
	// MaxConnectionsPerAddress is how many of them may come from one address, or one
	// /64 network of IPv6. Beyond it clients get HTTP 429, pages close code 4014; the
	// connections of that address without a link end before. By default there is no such
	// bound: behind a proxy all have one address.
	MaxConnectionsPerAddress int
	// MaxHandshakesPerSecond is how many handshakes are answered a second; four that are refused
	// count as one. Others wait for their turn, or, if that would take more than a second,
	// get HTTP 503, pages close code 4014, before they are authenticated. While some wait,
	// all addresses get the same number of turns, and clients that have authenticated
	// lately, or may have a connection to resume, get most. Default 500 for each
	// processor.
	MaxHandshakesPerSecond int
	// MaxHandshakeHeader is how many bytes the headers of a handshake may have, since Peer
	// keeps them. Beyond it clients get HTTP 431, pages close code 4008. Default 32 KiB.
	MaxHandshakeHeader int
	// Address tells where a request comes from, for a server behind a proxy that it
	// trusts to say so: see ForwardedAddress. Default: the address of the socket.
	Address func(*http.Request) string
	// MaxWindowMemory is by how many bytes the windows of all streams may grow beyond the
	// initial ones, together: memory for what has arrived and was not read. Default
	// 1 GiB.
	MaxWindowMemory int64
	// MaxMessageMemory is how many bytes of messages that are put together from several frames, or
	// that are inflated, are in memory until they are decoded, on all connections: half of
	// it for each of both. Beyond it messages wait, and so do their senders; a connection
	// always may have one that is put together. What a single connection takes of each half
	// is bounded by Transport.MaxReassembly. Default 512 MiB.
	MaxMessageMemory int64
	// MaxCalls is how many calls are served at once, on all connections together: each has a
	// goroutine. One beyond it is refused (UNAVAILABLE), and its client may make it again.
	// A connection gets no more of them than are left for others. Default 100,000.
	MaxCalls int
}

func (l *Limits) withDefaults() error {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"MaxConnections", int64(l.MaxConnections)},
		{"MaxConnectionsPerAddress", int64(l.MaxConnectionsPerAddress)},
		{"MaxHandshakesPerSecond", int64(l.MaxHandshakesPerSecond)},
		{"MaxHandshakeHeader", int64(l.MaxHandshakeHeader)},
		{"MaxWindowMemory", l.MaxWindowMemory},
		{"MaxMessageMemory", l.MaxMessageMemory},
		{"MaxCalls", int64(l.MaxCalls)},
	} {
		if f.value < 0 {
			return fmt.Errorf("Limits.%s is %d, must not be negative", f.name, f.value)
		}
	}
	if l.MaxConnections == 0 {
		l.MaxConnections = 50_000
	}
	if l.MaxHandshakesPerSecond == 0 {
		l.MaxHandshakesPerSecond = 500 * runtime.GOMAXPROCS(0)
	}
	if l.MaxHandshakeHeader == 0 {
		l.MaxHandshakeHeader = 32 << 10
	}
	if l.Address == nil {
		l.Address = socketAddress
	}
	if l.MaxWindowMemory == 0 {
		l.MaxWindowMemory = 1 << 30
	}
	if l.MaxMessageMemory == 0 {
		l.MaxMessageMemory = defaultMessageMemory
	}
	if l.MaxCalls == 0 {
		l.MaxCalls = 100_000
	}
	return nil
}

// WithLimits bounds what all connections cost together.
func WithLimits(l Limits) ServerOption {
	return serverOption(func(s *Server) { s.limits = l })
}
