package cluster

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// advance lets virtual time pass.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// directoryLab is a node without calls.
type directoryLab struct {
	*directory
	members   *members
	announcer *announcer
	watches   *watches
	bus       *fakeBus

	mu      sync.Mutex
	removed []string // sessions that were replaced
}

func startDirectory(tb testing.TB, hub *fakeHub, name string, several Several) *directoryLab {
	tb.Helper()
	return startDirectoryOn(tb, hub.bus(tb), name, several)
}

func startDirectoryOn(tb testing.TB, bus *fakeBus, name string, several Several) *directoryLab {
	tb.Helper()
	lab := &directoryLab{bus: bus}
	self := nodeInfo{ID: newNodeID(), Name: name, URL: "ws://" + name}
	m, err := newMembers(memberConfig{
		bus: lab.bus, prefix: "p", self: self,
		announced: func() (uint64, bool) { return lab.announcer.announced() },
		receive: func(e memberEvent) {
			if e.kind == memberGone || e.kind == memberLeft {
				lab.nodeGone(e.node.ID)
			}
			lab.watches.handleMember(e)
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	lab.members = m
	lab.announcer = newAnnouncer(lab.bus, "p", self.ID, m.watched.Load)
	lab.watches = newWatches(watchConfig{
		bus: lab.bus, prefix: "p", self: self.ID, lives: m.lives, setWatching: m.setWatching,
		heard: func(e PresenceEvent) { lab.heard(e) },
	})
	lab.directory = newDirectory(directoryConfig{
		bus: lab.bus, prefix: "p", self: self, several: several, lives: m.lives, complete: m.complete,
		replaced: func(client, session string) {
			lab.mu.Lock()
			defer lab.mu.Unlock()
			lab.removed = append(lab.removed, client+" "+session)
		},
		changed: func(e PresenceEvent) {
			lab.announcer.add(e)
			lab.watches.local(e)
		},
	})
	if err := m.start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		m.leave()
		lab.close()
		lab.announcer.close()
	})
	return lab
}

func (l *directoryLab) mustJoin(tb testing.TB, client, session string) {
	tb.Helper()
	if err := l.join(client, session, map[string]string{"on": l.config.self.Name}); err != nil {
		tb.Fatal(err)
	}
}

func (l *directoryLab) wantReplaced(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.removed)
	if got := strings.Join(l.removed, ", "); got != want {
		t.Errorf("%s: replaced %q, want %q", l.config.self.Name, got, want)
	}
	l.removed = nil
}

// wantLookup looks a client up: want is the name of its node, or a code.
func (l *directoryLab) wantLookup(t *testing.T, client, want string, within time.Duration) {
	t.Helper()
	start := time.Now()
	p, err := l.lookup(t.Context(), client)
	got := p.NodeName
	if err != nil {
		got = rpc.CodeOf(err).String()
	}
	if took := time.Since(start); got != want || took > within {
		t.Errorf("%s: %s is on %s (%v) after %v, want %s within %v", l.config.self.Name, client, got, err, took, want, within)
	}
}
