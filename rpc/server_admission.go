package rpc

import (
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// admission counts the open links.
type admission struct {
	mu        sync.Mutex
	all       int
	byAddress map[string]int
}

// acquire counts a link, unless it exceeds a limit.
func (a *admission) acquire(l *Limits, addr string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.all >= l.MaxConnections:
		return Errorf(CodeUnavailable, "the server has reached its limit of connections")
	case l.MaxConnectionsPerAddress > 0 && a.byAddress[addr] >= l.MaxConnectionsPerAddress:
		return Errorf(CodeResourceExhausted, "too many connections from one address")
	}
	if a.byAddress == nil {
		a.byAddress = make(map[string]int)
	}
	a.all++
	a.byAddress[addr]++
	return nil
}

func (a *admission) release(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if a.byAddress[addr]--; a.byAddress[addr] == 0 {
		delete(a.byAddress, addr)
	}
}

// count returns the number of links.
func (a *admission) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// countOf returns the number of links of an address.
func (a *admission) countOf(addr string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byAddress[addr]
}

// countedLink is a link that counts until it is closed.
type countedLink struct {
	transport.Link
	leave func() // ends the counting, once
}

// Unwrap returns the link that counts.
func (l *countedLink) Unwrap() transport.Link { return l.Link }

func (l *countedLink) Close(code transport.CloseCode, reason string) error {
	defer l.leave()
	return l.Link.Close(code, reason)
}
