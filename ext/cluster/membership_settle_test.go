package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// wantNode awaits a node: it must be known, or not, after some time.
func (l *directoryLab) wantNode(t *testing.T, id NodeID, want rpc.Code, within time.Duration) {
	t.Helper()
	began := time.Now()
	_, err := l.members.await(t.Context(), id)
	if took := time.Since(began); rpc.CodeOf(err) != want || took > within {
		t.Errorf("%v after %v, want %v within %v", err, took, want, within)
	}
}

func TestANodeThatHasJustStartedWaitsForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		advance(time.Second)
		b := startDirectory(t, hub, "b", Newest)
		b.wantNode(t, a.config.self.ID, rpc.CodeOK, answerDelay)
		b.wantNode(t, NodeID{1}, rpc.CodeUnavailable, settleTime)
		b.wantNode(t, NodeID{1}, rpc.CodeUnavailable, 0)
		if err := b.members.settle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestANodeThatStartsWithoutABusDoesNotKnowWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		hub.setAvailable(false)
		bus := hub.bus(t)
		bus.setAvailable(false)
		b := startDirectoryOn(t, bus, "b", Newest)
		advance(time.Second)
		if _, err := b.members.await(t.Context(), a.config.self.ID); !errors.Is(err, errUnsettled) {
			t.Error(err)
		}
		hub.setAvailable(true)
		b.wantNode(t, a.config.self.ID, rpc.CodeOK, answerDelay)
		waits := make(chan error, 1)
		go func() { waits <- b.members.settle(t.Context()) }()
		synctest.Wait()
		b.bus.setAvailable(false) // before it has settled
		advance(time.Second)
		if err := <-waits; !errors.Is(err, errUnsettled) {
			t.Error(err)
		}
		b.bus.setAvailable(true)
		b.wantNode(t, NodeID{1}, rpc.CodeUnavailable, settleTime)
		if err := b.members.settle(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitingForOtherNodesEndsWithItsContextAndTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := a.members.settle(ctx); rpc.CodeOf(err) != rpc.CodeDeadlineExceeded {
			t.Error(err)
		}
		waits := make(chan error, 1)
		go func() { waits <- a.members.settle(t.Context()) }()
		synctest.Wait()
		began := time.Now()
		a.members.leave()
		if err := <-waits; err != nil || time.Since(began) != 0 {
			t.Error(err, time.Since(began))
		}
	})
}

func TestASessionResumesAtANodeThatHasJustStarted(t *testing.T) {
	bus := NewMemoryBus()
	owner := startNode(t, bus, "owner", nil)
	b := newTestBalancer(owner)
	client := b.client(t, "ada")
	began, last := who(t, client), owner
	for range 5 {
		fresh := startNode(t, bus, "fresh", nil)
		b.set(fresh)
		last.clients.cut()
		last = fresh
		if again := who(t, client); again != began {
			t.Fatalf("served by %q, before by %q", again, began)
		}
	}
}
