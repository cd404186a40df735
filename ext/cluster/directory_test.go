package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestAClientIsFoundFromAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		b.wantLookup(t, "x", "NOT_FOUND", 0)
		a.mustJoin(t, "x", "1")
		a.detach("x", "1")
		b.wantLookup(t, "x", "a", 0)
		p, err := b.lookup(t.Context(), "x")
		if err != nil || p.Client != "x" || p.Node != a.config.self.ID || !p.Detached || p.Meta["on"] != "a" || p.session != "1" || time.Since(p.Since) > time.Second {
			t.Errorf("got %+v, %v", p, err)
		}
		a.wantLookup(t, "x", "a", 0)
		a.leave("x", "1")
		b.forget("x")
		b.wantLookup(t, "x", "NOT_FOUND", 0)
		if n := len(a.bus.subs); n != 1 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
}

func TestLookupsAreCachedWhileTheirNodeLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		before := hub.count("p.client.eA")
		for range 10 {
			b.wantLookup(t, "x", "a", 0)
		}
		if n := hub.count("p.client.eA") - before; n != 1 {
			t.Errorf("%d requests", n)
		}
		advance(cachedLookupAge)
		b.wantLookup(t, "x", "a", 0)
		if n := hub.count("p.client.eA") - before; n != 2 {
			t.Errorf("%d requests", n)
		}
		a.bus.kill()
		advance(2 * time.Second)
		b.wantLookup(t, "x", "NOT_FOUND", 0)
	})
}

func TestTheCacheKeepsTheMostRecentlyUsed(t *testing.T) {
	c := newLookupCache(2)
	for _, name := range []string{"a", "b", "a", "c"} {
		if _, _, ok := c.get(name); !ok {
			c.put(Presence{Client: name, Node: NodeID{name[0]}})
		}
	}
	_, _, a := c.get("a")
	_, _, b := c.get("b")
	if !a || b || c.len() != 2 {
		t.Errorf("a %v, b %v, %d entries", a, b, c.len())
	}
	c.forgetNode(NodeID{'a'})
	if _, _, a := c.get("a"); a || c.len() != 1 {
		t.Errorf("a %v, %d entries", a, c.len())
	}
}

func TestAnUnavailableBusFailsOnlyWhatIsNotKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		b.wantLookup(t, "x", "a", 0)
		hub.setAvailable(false)
		a.mustJoin(t, "y", "1")
		advance(20 * time.Second)
		b.wantLookup(t, "x", "a", 0)
		b.wantLookup(t, "y", "UNAVAILABLE", 0)
		a.wantLookup(t, "y", "a", 0)
		advance(20 * time.Second)
		b.wantLookup(t, "x", "a", 0) // older than the cache keeps it otherwise
		hub.setAvailable(true)
		synctest.Wait()
		b.wantLookup(t, "y", "a", 0)
	})
}

func TestAFrozenNodeIsUnavailableNotUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		synctest.Wait()
		a.bus.freeze()
		b.wantLookup(t, "x", "UNAVAILABLE", lookupTimeout)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := b.lookup(ctx, "x"); rpc.CodeOf(err) != rpc.CodeDeadlineExceeded {
			t.Error(err)
		}
		advance(5 * time.Second)
		b.mustJoin(t, "x", "2") // meanwhile
		a.bus.thaw()
		a.wantReplaced(t, "x 1")
		b.wantReplaced(t, "")
		a.wantLookup(t, "x", "b", 0)
	})
}

func TestANewerConnectionReplacesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		a.mustJoin(t, "x", "2") // on the same node
		a.wantReplaced(t, "x 1")
		advance(time.Second)
		b.mustJoin(t, "x", "3")
		a.wantReplaced(t, "x 2")
		b.wantReplaced(t, "")
		a.wantLookup(t, "x", "b", 0)
		if len(a.clients) != 0 || len(a.bus.subs) != 1 {
			t.Errorf("%d clients, %d subscriptions are left", len(a.clients), len(a.bus.subs))
		}
	})
}

func TestAWrongClockDoesNotKeepTheOlderConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		a.clients["x"].newest().order += uint64(time.Hour / time.Microsecond) // its clock is ahead
		advance(time.Millisecond)
		b.mustJoin(t, "x", "2")
		a.wantReplaced(t, "x 1")
		b.wantReplaced(t, "")
	})
}

func TestOfTwoJoinsAtTheSameMomentOneRemains(t *testing.T) {
	for round := range 50 {
		synctest.Test(t, func(t *testing.T) {
			hub := newFakeHub()
			var all []*directoryLab
			for i := range 2 + round%3 {
				all = append(all, startDirectory(t, hub, fmt.Sprint("n", i), Newest))
			}
			advance(time.Second)
			var joins sync.WaitGroup
			for _, l := range all {
				joins.Go(func() { l.mustJoin(t, "x", "1") })
			}
			joins.Wait()
			advance(time.Second)
			left := 0
			for _, l := range all {
				left += len(l.clients)
				if len(l.removed)+len(l.clients) != 1 {
					t.Errorf("%s: %d clients, replaced %q", l.config.self.Name, len(l.clients), l.removed)
				}
			}
			if left != 1 {
				t.Errorf("%d of %d remain", left, len(all))
			}
		})
	}
}

func TestANodeThatMissedAJoinYieldsOnItsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		a.bus.setAvailable(false)
		advance(time.Second)
		b.mustJoin(t, "x", "2")
		advance(20 * time.Second)
		a.wantReplaced(t, "")
		a.bus.setAvailable(true)
		a.wantReplaced(t, "x 1")
		b.wantReplaced(t, "")
	})
}

func TestManyLossesInARowMakeNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		nodes, clients := hub.count("p.nodes"), hub.count("p.client.eA")
		for range 1000 {
			advance(time.Millisecond)
			a.bus.setAvailable(true)
		}
		advance(2 * time.Second)
		nodes, clients = hub.count("p.nodes")-nodes, hub.count("p.client.eA")-clients
		if nodes > 12 || clients < 2 || clients > 4 {
			t.Errorf("%d messages about the node, %d about its client", nodes, clients)
		}
	})
}

func TestJoinsMissedByTheBusAreSettledOnItsReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		a.mustJoin(t, "x", "1")
		a.mustJoin(t, "y", "1")
		advance(time.Second)
		a.bus.setAvailable(false)
		b.mustJoin(t, "x", "2") // unheard by a
		advance(time.Second)
		b.bus.setAvailable(false)
		b.mustJoin(t, "y", "2") // unsent
		advance(18 * time.Second)
		hub.setAvailable(true)
		advance(time.Second)
		a.wantReplaced(t, "x 1, y 1")
		b.wantReplaced(t, "")
		a.wantLookup(t, "x", "b", 0)
		a.wantLookup(t, "y", "b", 0)
	})
}

func TestAClientIsNotGoneWhileTheBusReturnsToItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		advance(time.Second)
		b.mustJoin(t, "x", "1")
		a.wantLookup(t, "x", "b", 0)
		b.bus.kill() // its subscriptions are gone
		a.bus.setAvailable(false)
		advance(time.Second)
		a.bus.setAvailable(true)
		if p, err := a.confirm(t.Context(), "x"); err != nil || p.NodeName != "b" {
			t.Errorf("a client that was known: %+v, %v", p, err)
		}
		if _, err := a.lookup(t.Context(), "y"); !errors.Is(err, ErrBusUnavailable) || rpc.CodeOf(err) != rpc.CodeUnavailable {
			t.Errorf("a client that was not known: %v", err)
		}
		advance(5 * time.Second) // b is gone
		if _, err := a.lookup(t.Context(), "x"); rpc.CodeOf(err) != rpc.CodeNotFound {
			t.Error(err)
		}
	})
}

func TestAllConnectionsAreFoundTheNewestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b, c := startDirectory(t, hub, "a", All), startDirectory(t, hub, "b", All), startDirectory(t, hub, "c", All)
		advance(time.Second)
		for i, l := range []*directoryLab{a, b, b} {
			advance(time.Second)
			l.mustJoin(t, "x", fmt.Sprint(i))
		}
		all, err := c.lookupAll(t.Context(), "x")
		var got []string
		for _, p := range all {
			got = append(got, p.NodeName+p.session)
		}
		if err != nil || strings.Join(got, " ") != "b2 b1 a0" {
			t.Errorf("got %q, %v", got, err)
		}
		a.wantLookup(t, "x", "b", 2*lookupQuiet)
		a.wantReplaced(t, "")
		b.leave("x", "2")
		b.leave("x", "1")
		a.forget("x")
		a.wantLookup(t, "x", "a", 2*lookupQuiet)
	})
}

func TestClientsAreListedInPages(t *testing.T) {
	hub := newFakeHub()
	a := startDirectory(t, hub, "a", All)
	for i := range 10 {
		a.mustJoin(t, fmt.Sprint("c", i), "1")
	}
	a.mustJoin(t, "c3", "2")
	var got []string
	for page := range a.pages(4) {
		if len(page) > 5 {
			t.Errorf("a page of 4 clients has %d connections", len(page))
		}
		for _, p := range page {
			got = append(got, p.Client+"/"+p.session)
		}
	}
	if want := "c0/1 c1/1 c2/1 c3/2 c3/1 c4/1 c5/1 c6/1 c7/1 c8/1 c9/1"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsNoClientIsRefused(t *testing.T) {
	a := startDirectory(t, newFakeHub(), "a", Newest)
	long := strings.Repeat("x", 1025)
	_, lookupErr := a.lookup(t.Context(), long)
	_, allErr := a.lookupAll(t.Context(), "")
	for _, err := range []error{
		lookupErr, allErr, a.join(long, "1", nil), a.join("x", "", nil), a.join("x", "1", map[string]string{"k": long}),
		a.setMeta("x", "1", map[string]string{"k": "\xff"}),
	} {
		if rpc.CodeOf(err) != rpc.CodeInvalidArgument {
			t.Error(err)
		}
	}
	a.close()
	if err := a.join("x", "1", nil); rpc.CodeOf(err) != rpc.CodeUnavailable {
		t.Error(err)
	}
}
