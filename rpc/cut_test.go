package rpc_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// cutter is a TCP proxy that cuts each connection after some bytes.
type cutter struct {
	listener net.Listener
	target   string
	after    func() int64 // bytes until the next connection is cut, in one direction or the other; 0: never

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]struct{}
	cuts  int
}

func newCutter(t *testing.T, target string, after func() int64) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &cutter{listener: l, target: target, after: after, conns: make(map[net.Conn]struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *cutter) url() string { return "ws://" + p.listener.Addr().String() }

func (p *cutter) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = struct{}{}, struct{}{}
		p.mu.Unlock()
		limits := [2]int64{}
		if n := p.after(); n > 0 {
			limits[rand.N(2)] = n
		}
		p.wg.Go(func() { p.copy(in, out, limits[0]) })
		p.wg.Go(func() { p.copy(out, in, limits[1]) })
	}
}

// copy forwards bytes, and cuts the connection after limit bytes.
func (p *cutter) copy(to, from net.Conn, limit int64) {
	var err error
	if limit == 0 {
		_, err = io.Copy(to, from)
	} else {
		_, err = io.CopyN(to, from, limit)
	}
	_ = to.Close()
	_ = from.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, to)
	delete(p.conns, from)
	if limit > 0 && err == nil {
		p.cuts++
	}
}

// made returns how many cuts there were.
func (p *cutter) made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// cut breaks all connections.
func (p *cutter) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// listenKillably serves h at an address, and returns a function that kills the
// server and its connections.
func listenKillably(t *testing.T, addr string, h http.Handler) (got string, kill func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	w := new(wires)
	web := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ConnState: func(c net.Conn, s http.ConnState) {
		if s == http.StateHijacked {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.conns = append(w.conns, c)
		}
	}}
	var wg sync.WaitGroup
	wg.Go(func() { _ = web.Serve(l) })
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = web.Close()
			w.cut()
			wg.Wait()
		})
	}
	t.Cleanup(kill)
	return l.Addr().String(), kill
}

// TestCallsOfAllKindsSurviveCuts makes calls of all kinds in both directions at
// the same time, while links break every few thousand bytes.
func TestCallsOfAllKindsSurviveCuts(t *testing.T) {
	var pushed sync.WaitGroup
	srv := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) {
		pushed.Go(func() { checkEcho(context.Background(), t, c, 2) })
	}))
	registerAll(srv, echo)
	t.Cleanup(func() { _ = srv.Close() })
	addr, _ := listenKillably(t, "127.0.0.1:0", srv)
	links := 0
	proxy := newCutter(t, addr, func() int64 {
		if links++; links == 1 {
			return 0 // until both ends have sent HELLO there is nothing to resume
		}
		return 1000 + rand.N[int64](5000)
	})
	services := rpc.NewMux()
	registerAll(services, echo)
	c := rpc.NewClient(proxy.url(), rpc.WithServices(services))
	t.Cleanup(func() { _ = c.Close() })
	if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	proxy.cut()
	for round := 0; proxy.made() < 20; round++ {
		if round == 100 {
			t.Fatalf("only %d cuts", proxy.made())
		}
		checkEcho(t.Context(), t, c, 3)
	}
	pushed.Wait()
}

// checkEcho makes n calls of each kind at once, and checks the responses.
func checkEcho(ctx context.Context, t *testing.T, c rpc.Caller, calls int) {
	var group errgroup.Group
	for i := range calls * len(kinds) {
		m := kinds[i%len(kinds)]
		texts := make([]string, 100)
		for j := range texts {
			texts[j] = fmt.Sprint(i, " ", j, strings.Repeat("x", rand.N(500)))
		}
		group.Go(func() error {
			got, err := converse(ctx, c, m, texts)
			if err == nil && !slices.Equal(got, echoed(m, texts)) {
				err = fmt.Errorf("%d other messages than were sent", len(got))
			}
			if err != nil {
				return fmt.Errorf("%s: %w", m.Service, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestKilledServerEndsItsCallsAndTheClientReconnects kills the server, and
// starts another one at its address that knows no session.
func TestKilledServerEndsItsCallsAndTheClientReconnects(t *testing.T) {
	before := rpc.NewServer()
	started := make(chan struct{}, len(kinds))
	ended := make(chan error, len(kinds))
	registerAll(before, waiting(started, ended))
	t.Cleanup(func() { _ = before.Close() })
	addr, kill := listenKillably(t, "127.0.0.1:0", before)
	c := rpc.NewClient("ws://" + addr)
	t.Cleanup(func() { _ = c.Close() })
	var calls []<-chan outcome
	for _, m := range kinds {
		calls = append(calls, start(func() ([]string, error) { return converse(t.Context(), c, m, []string{"on"}) }))
	}
	for range kinds {
		<-started
	}
	kill()
	killed := time.Now()
	after := echoServer()
	t.Cleanup(func() { _ = after.Close() })
	listenKillably(t, addr, after)
	for _, call := range calls {
		wantError(t, (<-call).err, rpc.CodeUnavailable)
	}
	got, err := converse(t.Context(), c, unary, []string{"back"}, rpc.WithWaitForReady())
	if err != nil || got[0] != "back" {
		t.Errorf("%v, %v", got, err)
	}
	if took := time.Since(killed); took > 15*time.Second { // at most 10 s between two attempts
		t.Errorf("all was well after %v", took)
	}
	_ = before.Close()
	for range kinds {
		<-ended
	}
}

// TestCallsEndWhenTheirServerStaysDownBeyondTheResumeWindow starts no server in
// place of the dead one. In TestACallSurvivesAHandshakeThatWasCut the server
// takes the rest of a handshake for a bad request, as net/http does.
func TestACallSurvivesAHandshakeThatWasCut(t *testing.T) {
	for name, tt := range map[string]struct {
		refusal ws.HandshakeError
		goesOn  bool
	}{
		"not understood":       {ws.HandshakeError{Status: http.StatusBadRequest}, true},
		"of another version":   {ws.HandshakeError{Status: http.StatusBadRequest, ServerSubprotocols: []string{"parley.v9"}}, false},
		"of nobody who may":    {ws.HandshakeError{Status: http.StatusForbidden}, false},
		"at the wrong address": {ws.HandshakeError{Status: http.StatusNotFound}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, srv := newNetwork(t), echoServer()
				n.serve(home, srv)
				s, err := n.client(home).Open(t.Context(), bidi)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				_ = s.Send(text("before"))
				if _, err := recvOne(s); err != nil {
					t.Fatal(err)
				}
				n.answer(home, func(dialed) (transport.Link, error) {
					n.serve(home, srv)
					return nil, rpc.Errorf(rpc.CodeInternal, "%w", &tt.refusal)
				})
				n.cut()
				pass(5 * time.Second)
				_ = s.Send(text("on"))
				if _, err := recvOne(s); (err == nil) != tt.goesOn {
					t.Errorf("the call: %v", err)
				}
			})
		})
	}
}

func TestCallsEndWhenTheirServerStaysDownBeyondTheResumeWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		n := newNetwork(t)
		srv := rpc.NewServer()
		started := make(chan struct{}, 1)
		register(srv, m, waiting(started, make(chan error, 1)))
		n.serve(home, srv)
		c := n.client(home)
		call := start(func() ([]string, error) { return converse(t.Context(), c, m, []string{"on"}) })
		<-started
		synctest.Wait() // until both ends have sent HELLO there is nothing to resume
		begin := time.Now()
		n.answer(home, nil)
		n.cut()
		wantError(t, (<-call).err, rpc.CodeUnavailable)
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("the call ended after %v", took)
		}
	})
}
