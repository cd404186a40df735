package cluster

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
)

// reported returns a health server to which a node reports.
func reported(n *Node) *health.Server {
	status := health.NewServer()
	n.ReportHealth(status)
	return status
}

// probe returns how HTTP probes are answered for the cluster, and for the server
// as a whole.
func probe(status *health.Server) (ofCluster, ofServer int) {
	ask := func(target string) int {
		w := httptest.NewRecorder()
		status.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, http.NoBody))
		return w.Code
	}
	return ask("/healthz?service=" + HealthService), ask("/healthz")
}

func isServing(t *testing.T, status *health.Server) bool {
	t.Helper()
	ofCluster, ofServer := probe(status)
	if ofServer != http.StatusOK {
		t.Errorf("the server as a whole has the status %d", ofServer)
	}
	return ofCluster == http.StatusOK
}

func TestHealthShowsABusThatGoesAwayAndComesBack(t *testing.T) {
	var bus *MemoryBus
	nodes := startNodes(t, 2, func(c *Config) { bus, _ = c.Bus.(*MemoryBus) })
	first, second := reported(nodes[0].Node), reported(nodes[1].Node)
	nodes[0].device(t, "d")
	if !isServing(t, first) || !isServing(t, second) {
		t.Error("it is not serving with the bus")
	}
	for losses := range uint64(3) {
		bus.SetAvailable(false)
		if isServing(t, first) || isServing(t, second) {
			t.Error("it is serving without the bus")
		}
		callAllKinds(t, nodes[0].Client("d"), "d")
		if s := nodes[0].Stats(); s.BusAvailable || s.BusLosses != losses {
			t.Errorf("without the bus: %+v", s)
		}
		bus.SetAvailable(true)
		if !isServing(t, first) || !isServing(t, second) {
			t.Error("it is not serving after the bus is back")
		}
		if s := nodes[0].Stats(); !s.BusAvailable || s.BusLosses != losses+1 {
			t.Errorf("with the bus: %+v", s)
		}
	}
	nodes[0].Close()
	if isServing(t, first) || !isServing(t, second) {
		t.Error("it is serving after the node has left, or the other one is not")
	}
}

func TestHealthShowsANodeThatCannotBeReached(t *testing.T) {
	nodes := startNodes(t, 2, func(c *Config) {
		if c.Name == "node-1" {
			c.Advertise = "ws://127.0.0.1:1/"
		}
	})
	status := reported(nodes[0].Node)
	nodes[1].device(t, "d")
	if !isServing(t, status) {
		t.Error("it is not serving before a node was needed")
	}
	_, err := rpc.CallUnary[text, text](t.Context(), nodes[0].Client("d"), helloMethod, new(text))
	if !errors.Is(err, rpc.CodeUnavailable) {
		t.Error(err)
	}
	eventually(t, func() bool { return !isServing(t, status) })
	if s := nodes[0].Stats(); s.Nodes != 1 || s.NodesUnreachable != 1 || s.NodesDialed != 0 || !s.BusAvailable {
		t.Errorf("stats %+v", s)
	}
	nodes[1].Close()
	eventually(t, func() bool { return isServing(t, status) })
	if s := nodes[0].Stats(); s.Nodes != 0 || s.NodesUnreachable != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestHealthShowsThatAllOtherNodesAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		start := func() (*Node, *fakeBus) {
			bus := hub.bus(t)
			n, err := New(Config{Bus: bus, Credentials: Credentials{Secret: testSecret}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Close)
			return n, bus
		}
		a, _ := start()
		status := reported(a)
		_, b := start()
		c, _ := start()
		advance(time.Second)
		b.kill()
		advance(3 * time.Second)
		if s := a.Stats(); !isServing(t, status) || s.Nodes != 1 || s.NodesLost != 1 {
			t.Errorf("not serving with one of two others: %+v", s)
		}
		c.Close()
		advance(time.Second)
		if !isServing(t, status) {
			t.Error("not serving after the other node has left in good order")
		}
		_, d := start()
		advance(time.Second)
		d.kill()
		advance(3 * time.Second)
		if s := a.Stats(); isServing(t, status) || s.Nodes != 0 || s.NodesLost != 2 {
			t.Errorf("serving although the others are silent: %+v", s)
		}
		start()
		advance(time.Second)
		if !isServing(t, status) {
			t.Error("not serving after a node has joined")
		}
	})
}

func TestHealthOfOneProcessIsServing(t *testing.T) {
	n, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if !isServing(t, reported(n)) {
		t.Error("it is not serving")
	}
}
