package cluster

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestStatsCountCallsBetweenNodes(t *testing.T) {
	nodes := startNodes(t, 2, nil)
	nodes[1].device(t, "d")
	for range 3 {
		if _, err := rpc.CallUnary[text, text](t.Context(), nodes[0].Client("d"), helloMethod, new(text)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := nodes[0].Lookup(t.Context(), "nobody")
	if !errors.Is(err, rpc.CodeNotFound) {
		t.Error(err)
	}
	from, to := nodes[0].Stats(), nodes[1].Stats()
	if from.Nodes != 1 || from.NodesDialed != 1 || from.Lookups != 2 || from.LookupsFailed != 0 || from.Clients != 0 {
		t.Errorf("the node of the caller: %+v", from)
	}
	if to.Nodes != 1 || to.NodesAccepted != 1 || to.CallsForwarded != 3 || to.Clients != 1 || to.Connections != 1 || to.Announcements != 1 {
		t.Errorf("the node of the client: %+v", to)
	}
}

func TestStatsCountLookupsThatFail(t *testing.T) {
	var bus *MemoryBus
	nodes := startNodes(t, 2, func(c *Config) { bus, _ = c.Bus.(*MemoryBus) })
	bus.SetAvailable(false)
	defer bus.SetAvailable(true)
	_, err := nodes[0].Lookup(t.Context(), "d")
	if s := nodes[0].Stats(); !errors.Is(err, rpc.CodeUnavailable) || s.Lookups != 1 || s.LookupsFailed != 1 {
		t.Errorf("%v: %+v", err, s)
	}
}

func TestStatsCountRelayedLinks(t *testing.T) {
	nodes := startNodes(t, 2, func(c *Config) { c.MaxRelays = 1 })
	var at atomic.Int64
	dial := func(name string) {
		client := rpc.NewClient("ws://cluster/", rpc.WithHTTPHeader(http.Header{"Authorization": {name}}),
			rpc.WithNetDial(func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, nodes[at.Load()].clients.Listener.Addr().String())
			}))
		t.Cleanup(func() { _ = client.Close() })
		who(t, client)
	}
	dial("ada")
	dial("bob")
	at.Store(1)
	nodes[0].clients.cut() // one of them is relayed, the other one refused
	eventually(t, func() bool {
		s := nodes[1].Stats()
		return s.Relays == 1 && s.RelaysStarted == 1 && s.RelaysRefused > 0
	})
	nodes[0].Close() // neither session exists any more
	nodes[1].clients.cut()
	eventually(t, func() bool {
		s := nodes[1].Stats()
		return s.Relays == 0 && s.SessionsLost == 2 && s.RelaysFailed == 0
	})
}

func TestStatsCountWhatTheBusHasLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		start := func() *Node {
			n, err := New(Config{Bus: hub.bus(t), Prefix: "p", Credentials: Credentials{Secret: testSecret}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Close)
			return n
		}
		publisher, subscriber := TopicOf[*text](start(), "room"), start()
		room := TopicOf[*text](subscriber, "room")
		got := make(chan Delivery[*text], 10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for d, err := range room.Subscribe(ctx, "") {
				if err == nil {
					got <- d
				}
			}
		}()
		publish := func() {
			if err := publisher.Publish(t.Context(), &text{Value: "hello"}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		synctest.Wait()
		publish()
		hub.loseAll("p.topic." + nameToken("room"))
		publish()
		publish()
		hub.loseAll("")
		publish()
		if s := subscriber.Stats(); len(got) != 2 || s.BusMissed != 2 || s.TopicGaps != 1 || s.Topics != 1 {
			t.Errorf("%d deliveries: %+v", len(got), s)
		}
		cancel()
		advance(time.Second)
		if s := subscriber.Stats(); s.Topics != 0 {
			t.Errorf("after the subscriber has left: %+v", s)
		}
	})
}
