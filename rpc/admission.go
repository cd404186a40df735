package rpc

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Limits bound what all connections of a server cost together. The zero value of a
// field stands for its default. What a single connection costs is bounded by
// WithTransport; docs/limits.md is the table of everything.
type Limits struct {
	// Connections is how many links there may be at once, handshakes included.
	// Beyond it clients get HTTP 503, pages close code 4014. Default 50,000.
	Connections int
	// ConnectionsPerAddress is how many of them may come from one address, or one
	// /64 network of IPv6. Beyond it clients get HTTP 429, pages close code 4014. By
	// default there is no such bound: behind a proxy all have one address.
	ConnectionsPerAddress int
	// Handshakes is how many handshakes are answered a second. Others wait for their
	// turn, or, if that would take more than a second, get HTTP 503, pages close code
	// 4014. Default 500 for each processor.
	Handshakes int
	// Address tells where a request comes from, for a server behind a proxy that it
	// trusts to say so. Default: the address of the socket.
	Address func(*http.Request) string
	// Windows is by how many bytes the windows of all streams may grow beyond the
	// initial ones, together: memory for what has arrived and was not read. Default
	// 1 GiB.
	Windows int64
}

// WithLimits bounds what all connections cost together.
func WithLimits(l Limits) ServerOption {
	return serverOption(func(s *Server) { s.limits = l })
}

func (l *Limits) withDefaults() error {
	if l.Connections < 0 || l.ConnectionsPerAddress < 0 || l.Handshakes < 0 || l.Windows < 0 {
		return fmt.Errorf("Limits: a bound is negative: %+v", *l)
	}
	if l.Connections == 0 {
		l.Connections = 50_000
	}
	if l.Handshakes == 0 {
		l.Handshakes = 500 * runtime.GOMAXPROCS(0)
	}
	if l.Address == nil {
		l.Address = socketAddress
	}
	if l.Windows == 0 {
		l.Windows = 1 << 30
	}
	return nil
}

// socketAddress returns where a request comes from, a network in the case of IPv6:
// there a single host has a whole one.
func socketAddress(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	network, _ := addr.Prefix(64) // fits every IPv6 address
	return network.String()
}

// admission counts the links that there are.
type admission struct {
	mu        sync.Mutex
	all       int
	byAddress map[string]int

	pace pace
}

// enter counts a link in, unless it is one too many.
func (a *admission) enter(l *Limits, addr string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.all >= l.Connections:
		return Errorf(CodeUnavailable, "the server has as many connections as it takes")
	case l.ConnectionsPerAddress > 0 && a.byAddress[addr] >= l.ConnectionsPerAddress:
		return Errorf(CodeResourceExhausted, "too many connections from one address")
	}
	if a.byAddress == nil {
		a.byAddress = make(map[string]int)
	}
	a.all++
	a.byAddress[addr]++
	return nil
}

func (a *admission) leave(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if a.byAddress[addr]--; a.byAddress[addr] == 0 {
		delete(a.byAddress, addr)
	}
}

// handshakeWait is how long a handshake waits for its turn at the most. Clients that
// give up and come again would make the queue longer.
const handshakeWait = time.Second

// await waits for the turn of a handshake.
func (a *admission) await(ctx context.Context, l *Limits) error {
	wait, ok := a.pace.turn(time.Now(), l.Handshakes, handshakeWait)
	if !ok {
		return Errorf(CodeUnavailable, "more than %d clients a second connect", l.Handshakes)
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return Errorf(CodeCanceled, "the client has gone before it was its turn")
	}
}

// countedLink is a link that is counted until it is closed.
type countedLink struct {
	transport.Link
	leave func() // once
}

func (l *countedLink) Close(code transport.CloseCode, reason string) error {
	defer l.leave()
	return l.Link.Close(code, reason)
}
