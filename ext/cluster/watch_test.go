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
)

func (e PresenceEvent) String() string {
	kind := [...]string{"", "joined", "left", "detached", "resumed", "updated", "gone", "missed"}[e.Kind]
	return strings.TrimSpace(kind + " " + e.NodeName + " " + e.Presence.Client)
}

// watchLab is a watch whose events are kept.
type watchLab struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	seen []string
	err  error
}

func startWatch(t *testing.T, l *directoryLab) *watchLab {
	ctx, cancel := context.WithCancel(t.Context())
	lab := &watchLab{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(lab.done)
		for e, err := range l.watches.watch(ctx) {
			lab.mu.Lock()
			if err != nil {
				lab.err = err
			} else {
				lab.seen = append(lab.seen, e.String())
			}
			lab.mu.Unlock()
		}
	}()
	t.Cleanup(lab.end)
	return lab
}

func (l *watchLab) end() {
	l.cancel()
	<-l.done
}

func (l *watchLab) take() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen
	l.seen = nil
	return strings.Join(seen, ", ")
}

func (l *watchLab) want(t *testing.T, want string) {
	t.Helper()
	if got := l.take(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// watchOfTwo returns two nodes, and a watch of the second that has begun.
func watchOfTwo(t *testing.T) (hub *fakeHub, a, b *directoryLab, watch *watchLab) {
	hub = newFakeHub()
	a, b = startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
	advance(time.Second)
	watch = startWatch(t, b)
	advance(answerDelay)
	watch.want(t, "missed, missed a")
	return hub, a, b, watch
}

func TestAWatchSeesTheClientsOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b, watch := watchOfTwo(t)
		a.mustJoin(t, "x", "1")
		a.detach("x", "1")
		a.resume("x", "1")
		if err := a.setMeta("x", "1", nil); err != nil {
			t.Error(err)
		}
		a.leave("x", "1")
		advance(batchDelay)
		watch.want(t, "joined a x, detached a x, resumed a x, updated a x, left a x")
		b.mustJoin(t, "y", "1")
		b.leave("y", "1")
		watch.want(t, "joined b y, left b y")
		advance(time.Minute)
		watch.want(t, "")
		watch.end()
		if !errors.Is(watch.err, context.Canceled) {
			t.Error(watch.err)
		}
	})
}

func TestNothingIsAnnouncedWhenNoNodeWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, a, _, watch := watchOfTwo(t)
		watch.end()
		synctest.Wait()
		a.mustJoin(t, "x", "1")
		advance(time.Minute)
		if n := hub.count("p.presence"); n != 0 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestAWatchSeesThatANodeIsGoneAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _, watch := watchOfTwo(t)
		a.mustJoin(t, "x", "1")
		advance(time.Second)
		watch.want(t, "joined a x")
		a.bus.freeze()
		advance(2 * time.Second)
		watch.want(t, "gone a")
		a.bus.thaw()
		advance(answerDelay)
		watch.want(t, "missed a")
		a.mustJoin(t, "y", "1")
		advance(batchDelay)
		watch.want(t, "joined a y")
		a.members.leave()
		watch.want(t, "gone a")
	})
}

func TestLostAnnouncementsAreNotHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, a, _, watch := watchOfTwo(t)
		hub.loseAll("p.presence")
		a.mustJoin(t, "x", "1")
		advance(batchDelay)
		hub.loseAll("")
		a.mustJoin(t, "y", "1")
		advance(batchDelay)
		watch.want(t, "missed a, joined a y")
		hub.loseAll("p.presence")
		a.mustJoin(t, "z", "1") // the last one
		advance(1200 * time.Millisecond)
		watch.want(t, "missed a")
		advance(time.Minute)
		watch.want(t, "")
	})
}

func TestAWatchSeesWhatAnAbsentBusHasHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, a, b, watch := watchOfTwo(t)
		hub.setAvailable(false)
		a.mustJoin(t, "x", "1")
		b.mustJoin(t, "y", "1")
		advance(20 * time.Second)
		watch.want(t, "joined b y")
		hub.setAvailable(true)
		advance(time.Second)
		watch.want(t, "missed a")
	})
}

func TestASlowWatcherIsToldWhatItMissed(t *testing.T) {
	w := &watcher{ready: make(chan struct{}, 1)}
	for range maxWatchQueue + 10 {
		w.push(PresenceEvent{Kind: PresenceJoined})
	}
	all := w.take()
	if len(all) != maxWatchQueue+1 || all[maxWatchQueue].Kind != PresenceMissed {
		t.Errorf("%d events, at the end %v", len(all), all[len(all)-1])
	}
	w.push(PresenceEvent{Kind: PresenceLeft})
	if all := w.take(); len(all) != 1 || all[0].Kind != PresenceLeft {
		t.Errorf("then %v", all)
	}
}

func TestAStormOfJoinsIsFewAnnouncements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, a, _, watch := watchOfTwo(t)
		const clients = 10_000
		for i := range clients {
			a.mustJoin(t, fmt.Sprint("c", i), "1")
			if i%10 == 9 {
				advance(time.Millisecond)
			}
		}
		advance(time.Second)
		n := hub.count("p.presence")
		t.Logf("%d joins in a second: %d announcements", clients, n)
		seen := watch.take()
		if n > 100 || strings.Count(seen, "joined") != clients || strings.Contains(seen, "missed") {
			t.Errorf("%d messages, %d events", n, strings.Count(seen, "joined"))
		}
	})
}

func FuzzPresenceBatch(f *testing.F) {
	a := announcer{self: NodeID{1}}
	bus := &batchBus{}
	a.bus = bus
	a.publish([]PresenceEvent{{Kind: PresenceJoined, Presence: Presence{Client: "x", Node: NodeID{1}, session: "1"}}}, 7)
	if b, err := parsePresenceBatch(bus.data); err != nil || b.first != 7 || len(b.events) != 1 || b.events[0].Kind != PresenceJoined {
		f.Fatalf("got %+v, %v", b, err)
	}
	f.Add(bus.data)
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parsePresenceBatch(data)
		if err == nil && (len(b.events) == 0 || len(b.events) > batchEvents || b.events[0].Presence.Node != b.node) {
			t.Errorf("%+v is accepted", b)
		}
	})
}

// batchBus keeps the last message.
type batchBus struct {
	Bus
	data []byte
}

func (b *batchBus) Publish(_ string, data []byte) error {
	b.data = data
	return nil
}
