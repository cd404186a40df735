package main

import (
	"fmt"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// settings are the limits of the server that is attacked. They are small enough
// for a few connections to reach them.
type settings struct {
	connections int // at once, all of which attack
	transport   transport.Parameters
	limits      rpc.Limits
	resumption  rpc.Resumption
}

func newSettings(connections int) settings {
	return settings{
		connections: connections,
		transport: transport.Parameters{
			MaxStreams: 64, MaxMessage: 1 << 20, MaxHeader: 16 << 10, InitialWindow: 64 << 10, MaxWindow: 1 << 20,
			WriteQueue: 128 << 10, WriteTimeout: time.Minute, MaxReassembly: 8 << 20,
		},
		limits: rpc.Limits{
			MaxConnections: connections, MaxHandshakesPerSecond: 10_000, MaxHandshakeHeader: 16 << 10,
			MaxWindowMemory: 32 << 20, MaxReplayMemory: 16 << 20, MaxMessageMemory: 64 << 20, MaxCalls: 4000,
		},
		resumption: rpc.Resumption{ReplayLimit: 256 << 10, MaxReplay: 4 << 20, MaxDetached: connections, MaxDetachedBytes: 32 << 20},
	}
}

func (s *settings) options() []rpc.ServerOption {
	return []rpc.ServerOption{rpc.WithTransport(s.transport), rpc.WithLimits(s.limits), rpc.WithResumption(s.resumption)}
}

// The costs that no setting names, in bytes (docs/limits.md, "The worst case").
const (
	perLink       = 24 << 10  // a link, its session and their goroutines
	perBegun      = 80 << 10  // an incomplete link message
	perCall       = 16 << 10  // a call, its handler's goroutine and what is allocated for it
	perMessage    = 128 << 10 // the current message of a call, of one frame, inflated to a size that needs no budget
	perUnfinished = 1 << 20   // messages of several frames of a connection, beside the one that has the turn
	perQueue      = 224 << 10 // beside WriteQueue: frames at the link, and urgent ones
	collector     = 2         // GOGC=100 lets the heap grow to twice of what is in use
)

// bound is how much resident memory a row of the table can use at this server.
type bound func(s *settings, connections int64) int64

func links(s *settings, connections int64) int64 {
	return connections * (perLink + 2*int64(s.limits.MaxHandshakeHeader))
}

func begun(_ *settings, connections int64) int64 { return connections * perBegun }

func calls(s *settings, connections int64) int64 { return s.calls(connections) * perCall }

// calls returns how many there are at once.
func (s *settings) calls(connections int64) int64 {
	return min(connections*int64(s.transport.MaxStreams), int64(s.limits.MaxCalls))
}

func headers(s *settings, connections int64) int64 {
	return s.calls(connections) * 4 * int64(s.transport.MaxHeader)
}

// unread is the size of the buffers of unread messages, which are at least half
// full.
func unread(s *settings, connections int64) int64 {
	return s.calls(connections) * 2 * int64(s.transport.InitialWindow)
}

func windows(s *settings, _ int64) int64 { return 2 * s.limits.MaxWindowMemory }

func messages(s *settings, connections int64) int64 {
	return s.calls(connections)*perMessage + connections*(perUnfinished+int64(s.transport.MaxMessage)) + s.limits.MaxMessageMemory
}

func answers(s *settings, connections int64) int64 {
	return connections*int64(perQueue+s.transport.WriteQueue+2*s.resumption.ReplayLimit) + 2*s.limits.MaxReplayMemory
}

func away(s *settings, _ int64) int64 { return int64(s.resumption.MaxDetachedBytes) }

// sum is the bound of several rows together.
func sum(bounds ...bound) bound {
	return func(s *settings, connections int64) (all int64) {
		for _, b := range bounds {
			all += b(s, connections)
		}
		return all
	}
}

// mebibytes formats a size in MiB.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
