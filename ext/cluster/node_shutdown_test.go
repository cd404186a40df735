package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func (n *testNode) down(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.Shutdown(ctx); err != nil {
		t.Errorf("%s: %v", n.Name(), err)
	}
}

func TestCallsToAClientGoOnWhileItsNodeShutsDown(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	b := newTestBalancer(nodes[0])
	device := b.client(t, "d")
	if err := whoErr(t.Context(), device); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return nodes[0].localConn("d") != nil })
	b.set(nodes[1])
	var loops []*callLoop
	for _, n := range nodes {
		loops = append(loops, startCalls(t, "from "+n.Name(), func() error { return hello(t.Context(), n.Client("d")) }))
	}
	for _, l := range loops {
		l.more(t, 10)
	}
	loops[0].stop()
	nodes[0].down(t)
	for _, l := range loops[1:] {
		l.more(t, 10)
		l.stop()
	}
}

func TestCallsOverARelayGoOnWhileTheOwnerShutsDown(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	b := newTestBalancer(nodes[0])
	client := b.client(t, "c")
	if err := whoErr(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	b.set(nodes[1], nodes[2])
	nodes[0].clients.cut()
	l := startCalls(t, "relayed", func() error { return whoErr(t.Context(), client) })
	l.more(t, 10)
	nodes[0].down(t)
	l.more(t, 10)
	l.stop()
}

func TestIdleSessionsBehindARelayMoveWhenTheirNodeShutsDown(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	b := newTestBalancer(nodes[0])
	client := b.client(t, "c")
	if err := whoErr(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	b.set(nodes[1], nodes[2])
	nodes[0].clients.cut()
	eventually(t, func() bool { return nodes[1].relays.open.Load()+nodes[2].relays.open.Load() == 1 })
	nodes[0].down(t)
	if p, err := nodes[1].Lookup(t.Context(), "c"); err != nil || p.Node == nodes[0].ID() || p.Detached {
		t.Errorf("the directory has %+v, %v", p, err)
	}
}

func TestRelayedCallsGoOnWhileTheRelayingNodeShutsDown(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	b := newTestBalancer(nodes[0])
	client := b.client(t, "c")
	if err := whoErr(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	b.set(nodes[1])
	nodes[0].clients.cut()
	l := startCalls(t, "relayed", func() error { return whoErr(t.Context(), client) })
	l.more(t, 10)
	if nodes[1].relays.open.Load() != 1 {
		t.Error("not relayed")
	}
	b.set(nodes[2])
	nodes[1].down(t)
	eventually(t, func() bool { return nodes[1].relays.open.Load() == 0 && nodes[2].relays.open.Load() == 1 })
	l.more(t, 10)
	l.stop()
}

func TestARollingDeployFailsNoCall(t *testing.T) {
	bus := NewMemoryBus()
	var nodes []*testNode
	for i := range 3 {
		nodes = append(nodes, startNode(t, bus, fmt.Sprint("old-", i), nil))
	}
	b := newTestBalancer(nodes...)
	var loops []*callLoop
	for i := range 6 {
		name := fmt.Sprint("d", i)
		client := b.client(t, name)
		if err := whoErr(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			loops = append(loops, startCalls(t, "of "+name, func() error { return whoErr(t.Context(), client) }))
		}
		loops = append(loops, startCalls(t, "to "+name, func() error {
			n, err := b.next()
			if err != nil {
				return err
			}
			return hello(t.Context(), n.Client(name))
		}))
	}
	for _, n := range nodes {
		n.clients.cut() // so that some links are relayed
	}
	for i, old := range nodes {
		fresh := startNode(t, bus, fmt.Sprint("new-", i), nil)
		all := append(append([]*testNode{}, nodes[i+1:]...), fresh)
		b.set(append(all, nodes[:i]...)...)
		old.down(t)
		nodes[i] = fresh
		for _, l := range loops {
			l.more(t, 5)
		}
	}
	for _, l := range loops {
		l.stop()
	}
	for i := range 6 {
		if _, err := nodes[0].Lookup(t.Context(), fmt.Sprint("d", i)); err != nil {
			t.Error(err)
		}
	}
}

func TestALinkOfARetiredSessionKeepsTheOneThatHasReplacedIt(t *testing.T) {
	nodes := startNodes(t, 3, nil)
	arrived := make(chan struct{})
	nodes[0].srv.Register(&rpc.Service{Name: waitMethod.Service, Methods: []rpc.ServiceMethod{
		{Method: waitMethod, Handler: rpc.UnaryHandler(func(ctx context.Context, _ *text) (*text, error) {
			close(arrived)
			<-ctx.Done()
			return nil, ctx.Err()
		})},
	}})
	b := newTestBalancer(nodes[0])
	client := b.client(t, "c")
	if err := whoErr(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return nodes[0].localConn("c") != nil })
	old := nodes[0].localConn("c")
	inFlight := make(chan error, 1)
	go func() {
		_, err := rpc.CallUnary[text, text](t.Context(), client, waitMethod, new(text))
		inFlight <- err
	}()
	<-arrived
	b.set(nodes[1])
	ctx, cancel := context.WithCancel(t.Context())
	draining := make(chan error, 1)
	go func() { draining <- nodes[0].srv.Shutdown(ctx) }()
	eventually(t, func() bool { return nodes[1].localConn("c") != nil })
	moved := nodes[1].localConn("c")

	b.set(nodes[2])
	nodes[0].Close() // in the middle of the move
	nodes[0].clients.cut()
	if err := <-inFlight; !errors.Is(err, rpc.CodeUnavailable) {
		t.Errorf("the call of the lost session: %v", err)
	}
	eventually(t, func() bool { return len(nodes[2].srv.Conns()) == 0 })
	if p, err := nodes[2].Lookup(t.Context(), "c"); err != nil || p.Node != nodes[1].ID() || moved.Err() != nil {
		t.Errorf("the directory has %+v, %v; the session that the client has moved to: %v", p, err, moved.Err())
	}
	cancel()
	<-draining
	if old.Err() == nil {
		t.Error("the old session goes on")
	}
}

func TestShutdownLetsTheCallsOfItsNodeFinish(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[1].device(t, "d")
	s, err := nodes[0].Client("d").Open(t.Context(), talkMethod)
	if err != nil {
		t.Fatal(err)
	}
	say := func(what string) {
		var got text
		if err := errors.Join(s.Send(&text{Value: what}), s.Recv(&got)); err != nil {
			t.Fatal(err)
		}
	}
	say("before")
	down := make(chan struct{})
	go func() {
		defer close(down)
		nodes[0].down(t)
	}()
	eventually(t, func() bool { return len(nodes[1].Nodes()) == 0 }) // it has left
	say("after")
	_ = s.CloseSend()
	if err := s.Recv(new(text)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	_ = s.Close()
	<-down
}
