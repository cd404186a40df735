package natstest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is a TCP proxy that sends each connection to the next server.
type proxy struct {
	listener net.Listener
	servers  []string
	running  sync.WaitGroup

	mu    sync.Mutex
	taken []int // connections of each server
	conns map[net.Conn]struct{}
}

// startProxy starts a proxy, until the test ends.
func startProxy(t *testing.T, servers ...string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, servers: servers, taken: make([]int, len(servers)), conns: make(map[net.Conn]struct{})}
	p.running.Go(p.run)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) run() {
	for next := 0; ; next++ {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		server := next % len(p.servers)
		to, err := net.Dial("tcp", p.servers[server])
		if err != nil {
			_ = from.Close()
			continue
		}
		p.mu.Lock()
		p.taken[server]++
		p.conns[from], p.conns[to] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.running.Go(func() { p.pass(from, to) })
		p.running.Go(func() { p.pass(to, from) })
	}
}

// pass copies one direction, and ends both when it ends.
func (p *proxy) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = from.Close()
	_ = to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, from)
	delete(p.conns, to)
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// counts returns how many connections each server has had.
func (p *proxy) counts() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int(nil), p.taken...)
}
