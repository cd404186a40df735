package cluster

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// nodeGate is what other nodes dial to reach a node. While it is shut, it does
// not answer.
type nodeGate struct {
	*countingServer
	handler atomic.Pointer[http.Handler]
	shut    atomic.Pointer[chan struct{}] // nil: it is open
}

func newNodeGate(t *testing.T) *nodeGate {
	g := new(nodeGate)
	g.countingServer = newCountingServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shut := g.shut.Load(); shut != nil {
			select {
			case <-*shut:
			case <-r.Context().Done():
				return
			}
		}
		(*g.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(g.open)
	return g
}

// close cuts the connections of other nodes, and answers none until open.
func (g *nodeGate) close() {
	shut := make(chan struct{})
	g.shut.Store(&shut)
	g.cut()
}

func (g *nodeGate) open() {
	if shut := g.shut.Swap(nil); shut != nil {
		close(*shut)
	}
}

// startGated starts two nodes, the second one behind a gate.
func startGated(t *testing.T) (nodes []*testNode, g *nodeGate) {
	g = newNodeGate(t)
	nodes = startNodes(t, 2, func(c *Config) {
		if c.Name == "node-1" {
			c.Advertise = g.url()
		}
	})
	h := nodes[1].NodeHandler()
	g.handler.Store(&h)
	return nodes, g
}

func TestCallsToANodeThatCannotBeReachedFailAtOnce(t *testing.T) {
	nodes, g := startGated(t)
	nodes[1].device(t, "d")
	callAllKinds(t, nodes[0].Client("d"), "d")
	ctx, cancel := context.WithCancel(t.Context())
	inFlight := make(chan error, 1)
	go func() {
		_, err := rpc.CallUnary[text, text](ctx, nodes[0].Client("d"), waitMethod, new(text))
		inFlight <- err
	}()
	eventually(t, func() bool { return nodes[1].localConn("d").Stats().LocalStreams > 0 })
	g.close()
	eventually(t, func() bool { return nodes[0].nodes.isUnreachable(nodes[1].ID()) })
	for range 100 {
		began := time.Now()
		if err := hello(t.Context(), nodes[0].Client("d")); !errors.Is(err, rpc.CodeUnavailable) {
			t.Fatal(err)
		}
		if took := time.Since(began); took > mostResuming {
			t.Fatalf("a call failed after %v", took)
		}
	}
	g.open()
	eventually(t, func() bool { return hello(t.Context(), nodes[0].Client("d")) == nil })
	callAllKinds(t, nodes[0].Client("d"), "d")
	if nodes[1].localConn("d").Stats().LocalStreams != 1 {
		t.Error("the call in flight has not outlived the loss")
	}
	cancel()
	if err := <-inFlight; !errors.Is(err, rpc.CodeCanceled) {
		t.Error(err)
	}
}

// from connects another node to one that it dials, as one with an id.
func from(t *testing.T, g *nodeGate, id string) (*rpc.Client, error) {
	t.Helper()
	client := rpc.NewClient(g.url(), rpc.WithHTTPHeader(http.Header{"Authorization": {"Bearer " + testSecret}, nodeHeader: {id}}))
	t.Cleanup(func() { _ = client.Close() })
	conn, err := client.Connect(t.Context())
	if err == nil {
		_, err = conn.Ping(t.Context())
	}
	return client, err
}

func TestANodeThatDialsShowsItsID(t *testing.T) {
	_, g := startGated(t)
	if _, err := from(t, g, "unnamed"); !errors.Is(err, rpc.CodeUnauthenticated) {
		t.Error(err)
	}
}

func TestShutdownDoesNotWaitForNodesThatAreGone(t *testing.T) {
	nodes, g := startGated(t)
	nodes[1].device(t, "d")
	gone, err := from(t, g, newNodeID().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := hello(t.Context(), nodes[0].Client("d")); err != nil { // from a node that lives
		t.Fatal(err)
	}
	call := make(chan error, 1)
	go func() {
		_, err := rpc.CallUnary[text, text](t.Context(), gone, waitMethod, new(text), rpc.WithMetadata(clientKey, "d"))
		call <- err
	}()
	eventually(t, func() bool { return nodes[1].localConn("d").Stats().LocalStreams > 0 })
	of := make(map[string]*rpc.Conn)
	for _, c := range nodes[1].Node.inner.Conns() {
		of[c.Principal()] = c
	}
	alive := of[nodes[0].ID().String()]
	delete(of, nodes[0].ID().String())
	g.close()
	for id, c := range of {
		eventually(t, c.Detached)
		nodes[1].detached(c)
		if err := c.Err(); err != nil {
			t.Errorf("%s may be frozen, and its connection has ended: %v", id, err)
		}
		nodes[1].endDetached()
		<-c.Done()
		if err := c.Err(); !errors.Is(err, errNodeGone) {
			t.Errorf("the connection has ended with %v", err)
		}
	}
	if alive == nil || len(of) != 1 || alive.Err() != nil {
		t.Errorf("%d connections, of a node that lives: %v", len(of), alive)
	}
	eventually(t, func() bool { return nodes[1].localConn("d").Stats().LocalStreams == 0 })
	g.open()
	if err := <-call; !errors.Is(err, rpc.CodeUnavailable) {
		t.Error(err)
	}
}

func TestANewConnectionFromANodeEndsItsDetachedOnes(t *testing.T) {
	nodes, g := startGated(t)
	id := newNodeID().String()
	given, err := from(t, g, id)
	if err != nil {
		t.Fatal(err)
	}
	first := nodes[1].Node.inner.Conns()[0]
	g.close()
	eventually(t, first.Detached)
	_ = given.Close() // it cannot say so
	g.open()
	if _, err := from(t, g, newNodeID().String()); err != nil {
		t.Fatal(err)
	}
	if err := first.Err(); err != nil {
		t.Errorf("another node has ended the connection: %v", err)
	}
	if _, err := from(t, g, id); err != nil {
		t.Fatal(err)
	}
	<-first.Done()
	if err := first.Err(); !errors.Is(err, errNodeGone) {
		t.Error(err)
	}
}
