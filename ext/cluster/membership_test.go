package cluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memberLab is a node that only is a member.
type memberLab struct {
	*members
	bus *fakeBus

	mu   sync.Mutex
	seen []string // events as "joined a"
}

func (e memberEvent) String() string {
	return [...]string{"", "joined", "back", "draining", "left", "gone", "announce"}[e.kind] + " " + e.node.Name
}

func startMember(t *testing.T, hub *fakeHub, name string) *memberLab {
	t.Helper()
	lab := &memberLab{bus: hub.bus(t)}
	config := memberConfig{
		bus: lab.bus, prefix: "p", self: nodeInfo{ID: newNodeID(), Name: name, URL: "ws://" + name},
		receive: func(e memberEvent) {
			if e.kind != memberAnnounce {
				lab.mu.Lock()
				lab.seen = append(lab.seen, e.String())
				lab.mu.Unlock()
			}
		},
	}
	m, err := newMembers(config)
	if err != nil {
		t.Fatal(err)
	}
	lab.members = m
	if err := m.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.leave)
	return lab
}

// take returns what has happened since, sorted.
func (l *memberLab) events() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen
	l.seen = nil
	slices.Sort(seen)
	return strings.Join(seen, ", ")
}

func (l *memberLab) want(t *testing.T, events string) {
	t.Helper()
	if got := l.events(); got != events {
		t.Errorf("%s: got %q, want %q", l.config.self.Name, got, events)
	}
}

func TestNodesKnowEachOtherWithinATenthOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startMember(t, hub, "a")
		advance(450 * time.Millisecond)
		b := startMember(t, hub, "b")
		advance(answerDelay)
		a.want(t, "joined b")
		b.want(t, "joined a")
		if nodes := b.list(); len(nodes) != 1 || nodes[0].URL != "ws://a" || !b.lives(a.config.self.ID) {
			t.Errorf("b knows %v", nodes)
		}
		advance(time.Minute)
		a.want(t, "")
		b.want(t, "")
	})
}

func TestAKilledNodeIsGoneWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startMember(t, hub, "a"), startMember(t, hub, "b")
		advance(10*time.Second + 123*time.Millisecond)
		a.events()
		b.bus.kill()
		advance(800 * time.Millisecond)
		a.want(t, "")
		advance(1200 * time.Millisecond)
		a.want(t, "gone b")
	})
}

func TestANodeThatLeavesIsGoneAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startMember(t, hub, "a"), startMember(t, hub, "b")
		advance(10 * time.Second)
		a.events()
		b.drain()
		a.want(t, "draining b")
		b.leave()
		a.want(t, "left b")
		advance(10 * time.Second)
		a.want(t, "")
	})
}

func TestAFrozenNodeIsBackAndBothSidesNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startMember(t, hub, "a"), startMember(t, hub, "b")
		advance(10 * time.Second)
		a.events()
		b.events()
		b.bus.freeze()
		advance(5 * time.Second)
		a.want(t, "gone b")
		b.bus.thaw()
		a.want(t, "back b")
		b.want(t, "back b") // of itself; and a is not gone
		advance(10 * time.Second)
		a.want(t, "")
		b.want(t, "")
	})
}

func TestSilenceOfTheBusSaysNothingAboutNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b, c := startMember(t, hub, "a"), startMember(t, hub, "b"), startMember(t, hub, "c")
		advance(10 * time.Second)
		for _, l := range []*memberLab{a, b, c} {
			l.events()
		}
		hub.setAvailable(false)
		advance(10 * time.Second)
		c.bus.kill() // unseen
		advance(10 * time.Second)
		a.want(t, "")
		b.want(t, "")
		hub.setAvailable(true)
		a.want(t, "back a")
		b.want(t, "back b")
		advance(time.Second)
		a.want(t, "") // a grace
		advance(time.Second)
		a.want(t, "gone c")
		b.want(t, "gone c")
	})
}

func TestANodeThatDoesNotHearItselfTakesNoOtherForGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startMember(t, hub, "a"), startMember(t, hub, "b")
		advance(time.Second)
		a.want(t, "joined b")
		b.want(t, "joined a")
		hub.loseAll("p.nodes") // the buses say that they are available
		advance(10 * time.Second)
		a.want(t, "")
		b.want(t, "")
		hub.loseAll("")
		advance(10 * time.Second)
		a.want(t, "")
		b.want(t, "")
		b.bus.kill()
		advance(2 * time.Second)
		a.want(t, "gone b")
	})
}

func TestOneNodeWithoutBusIsGoneAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startMember(t, hub, "a"), startMember(t, hub, "b")
		advance(10 * time.Second)
		a.events()
		b.events()
		b.bus.setAvailable(false)
		advance(20 * time.Second)
		a.want(t, "gone b")
		b.want(t, "")
		b.bus.setAvailable(true)
		a.want(t, "back b")
		b.want(t, "back b")
		advance(10 * time.Second)
		b.want(t, "")
	})
}

func TestARestartedNodeReplacesItsGhost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startMember(t, hub, "a"), startMember(t, hub, "b")
		advance(10 * time.Second)
		a.events()
		b.bus.kill()
		again := startMember(t, hub, "b")
		a.want(t, "gone b, joined b")
		if a.lives(b.config.self.ID) || !a.lives(again.config.self.ID) {
			t.Error("the ghost lives")
		}
	})
}

func TestAHundredNodesThatStartAtOnceMakeNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 100
		hub := newFakeHub()
		var all []*memberLab
		for i := range nodes {
			all = append(all, startMember(t, hub, fmt.Sprint("n", i)))
		}
		advance(answerDelay)
		synctest.Wait()
		start := hub.count("p.nodes")
		for _, l := range all {
			if n := len(l.list()); n != nodes-1 {
				t.Fatalf("%d nodes are known", n)
			}
		}
		advance(10 * time.Second)
		rest := hub.count("p.nodes") - start
		t.Logf("%d nodes: %d messages until they know each other, then %d a second", nodes, start, rest/10)
		if start > 2*nodes || rest > 10*nodes*5/2 {
			t.Errorf("%d messages at the start, %d in 10 s", start, rest)
		}
	})
}

func TestHeartbeatsOutOfBoundsAreRefused(t *testing.T) {
	for _, heartbeat := range []time.Duration{-1, time.Millisecond, time.Minute} {
		_, err := newMembers(memberConfig{bus: newFakeHub().bus(t), self: nodeInfo{ID: newNodeID()}, heartbeat: heartbeat})
		if err == nil || !strings.Contains(err.Error(), "heartbeat") {
			t.Errorf("%v: %v", heartbeat, err)
		}
	}
}
