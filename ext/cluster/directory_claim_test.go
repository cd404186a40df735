package cluster

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestALossOfOtherSubjectsMakesNoClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		a.mustJoin(t, "x", "1")
		advance(time.Second)
		nodes := hub.count("p.nodes")
		a.bus.lost("p.topic.cm9vbQ", "p.history.cm9vbQ", "p.presence")
		synctest.Wait()
		if n := hub.count("p.nodes") - nodes; n != 0 {
			t.Errorf("%d messages about the node", n)
		}
		advance(5 * time.Second)
		if n := hub.count(clientSubject("p", "x")); n != 1 {
			t.Errorf("%d messages about the client, want its join", n)
		}
	})
}

func TestALossOfAClientsSubjectMakesAClaimOfThatClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		a.mustJoin(t, "x", "1")
		a.mustJoin(t, "y", "1")
		advance(time.Second)
		hub.loseAll(clientSubject("p", "x"))
		b.mustJoin(t, "x", "2")
		hub.loseAll("")
		advance(time.Second)
		a.bus.lost(clientSubject("p", "x"), clientSubject("p", "gone"), "p.topic.cm9vbQ")
		a.wantReplaced(t, "x 1")
		b.wantReplaced(t, "")
		advance(5 * time.Second)
		if n := hub.count(clientSubject("p", "y")); n != 1 {
			t.Errorf("%d messages about the other client, want its join", n)
		}
	})
}

func TestALossWhileClientsAreClaimedIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		a.mustJoin(t, "x", "1")
		advance(time.Second)
		for range 3 {
			a.bus.lost(clientSubject("p", "x"))
			synctest.Wait()
		}
		advance(5 * time.Second)
		if n := hub.count(clientSubject("p", "x")); n != 3 {
			t.Errorf("%d messages about the client, want its join and two claims", n)
		}
	})
}

func TestAClientThatMayBeElsewhereIsClaimedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a := startDirectory(t, hub, "a", Newest)
		a.mustJoin(t, "detached", "1")
		a.mustJoin(t, "oldest", "1")
		advance(time.Second)
		for i := range 3 * claimsPerRound {
			a.mustJoin(t, fmt.Sprint("client-", i), "1")
		}
		a.detach("detached", "1")
		advance(time.Second)
		a.mustJoin(t, "latest", "1")
		a.bus.setAvailable(false)
		a.mustJoin(t, "unannounced", "1")
		advance(10 * time.Second)
		before := map[string]int{"unannounced": 0, "detached": 1, "latest": 1}
		a.bus.setAvailable(true)
		synctest.Wait()
		for client, n := range before {
			if got := hub.count(clientSubject("p", client)); got != n+1 {
				t.Errorf("%s: %d messages, want %d", client, got, n+1)
			}
		}
		if n := hub.count(clientSubject("p", "oldest")); n != 1 {
			t.Errorf("oldest: %d messages in the first round", n)
		}
		advance(3 * claimRound)
		if n := hub.count(clientSubject("p", "oldest")); n != 2 {
			t.Errorf("oldest: %d messages after all rounds", n)
		}
	})
}

func TestABusThatReturnsTwiceMakesClaimsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := newFakeHub()
		a, b := startDirectory(t, hub, "a", Newest), startDirectory(t, hub, "b", Newest)
		a.mustJoin(t, "x", "1")
		advance(time.Second)
		a.bus.setAvailable(false)
		a.bus.setAvailable(true)
		synctest.Wait()
		a.bus.setAvailable(false)
		b.mustJoin(t, "x", "2")
		advance(claimPause / 2)
		a.wantReplaced(t, "")
		a.bus.setAvailable(true) // less than the pause since the last claim
		a.wantReplaced(t, "x 1")
	})
}
