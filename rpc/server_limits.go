package rpc

import (
	"fmt"
	"net/http"
	"runtime"
)

// Limits bounds the cost of all connections of a server together. The zero
// value of a field means its default. WithTransport bounds the cost of a single
// connection. docs/limits.md lists all limits.
type Limits struct {
	// MaxConnections is the maximum number of links, including handshakes.
	// Beyond it clients get HTTP 503, pages close code 4014. Detached
	// connections count too, but make room for new ones: the oldest detached
	// one ends of the principal, or of the address if there is none, that has
	// most of them. Default 50,000.
	MaxConnections int
	// MaxConnectionsPerAddress is the maximum number of them from one address,
	// or one /64 network of IPv6. Beyond it clients get HTTP 429, pages close
	// code 4014; detached connections of the address end first. By default
	// there is no such limit: behind a proxy all clients have one address.
	MaxConnectionsPerAddress int
	// MaxHandshakesPerSecond is the maximum rate of handshakes; four that are
	// refused count as one. Others wait. A handshake that would wait for more
	// than a second gets HTTP 503, pages close code 4014, before it is
	// authenticated. All addresses with waiting handshakes get the same rate.
	// Clients that have authenticated recently, or may have a connection to
	// resume, get most of it. Default 500 per processor.
	MaxHandshakesPerSecond int
	// MaxHandshakeHeader is the maximum size in bytes of the headers of a
	// handshake, which Peer keeps. Beyond it clients get HTTP 431, pages close
	// code 4008. Default 32 KiB.
	MaxHandshakeHeader int
	// Address returns the address that a request comes from. Set it behind a
	// trusted proxy: see ForwardedAddress. Default: the address of the socket.
	Address func(*http.Request) string
	// MaxWindowMemory is how many bytes the windows of all streams may grow
	// beyond the initial ones, together: memory for data that has arrived and
	// was not read. Default 1 GiB.
	MaxWindowMemory int64
	// MaxReplayMemory is how many bytes all connections may keep together, to
	// send them again after a lost link, beyond the Resumption.ReplayLimit of
	// each. A connection to a distant client that takes much keeps as much as
	// its path holds. Default 1 GiB.
	MaxReplayMemory int64
	// MaxMessageMemory is the memory in bytes for messages that are reassembled
	// from several frames or inflated, until they are decoded, on all
	// connections: half of it for each. Beyond it messages and their senders
	// wait; a connection may always have one that is reassembled.
	// Transport.MaxReassembly bounds the part of a single connection in each
	// half. Default 512 MiB.
	MaxMessageMemory int64
	// MaxCalls is the maximum number of calls served at once, on all
	// connections together: each has a goroutine. A call beyond it is refused
	// (UNAVAILABLE), and its client may repeat it. A connection gets at most as
	// many as are left for others. Default 100,000.
	MaxCalls int
}

// withDefaults fills in defaults. It returns an error that names the first
// negative field.
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
		{"MaxReplayMemory", l.MaxReplayMemory},
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
	if l.MaxReplayMemory == 0 {
		l.MaxReplayMemory = 1 << 30
	}
	if l.MaxMessageMemory == 0 {
		l.MaxMessageMemory = defaultMessageMemory
	}
	if l.MaxCalls == 0 {
		l.MaxCalls = 100_000
	}
	return nil
}

// WithLimits bounds the cost of all connections together.
func WithLimits(l Limits) ServerOption {
	return serverOption(func(s *Server) { s.limits = l })
}
