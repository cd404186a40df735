package transport

import (
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestGoAwaysOfThisEndFollowAnOrder(t *testing.T) {
	g := goAwayState{side: Acceptor}
	if info, err := g.notice(GoAway{Status: 5}); err != nil || !info.Notice() || !closed(g.draining.done()) {
		t.Fatalf("notice: %+v, %v", info, err)
	}
	if info, err := g.final(GoAway{}, 7); err != nil || info.LastStream != 7 {
		t.Fatalf("final: %+v, %v", info, err)
	}
	if _, err := g.final(GoAway{}, 9); err == nil {
		t.Error("a final GOAWAY was repeated")
	}
	if info, err := g.final(GoAway{Status: 14}, 9); err != nil || info.LastStream != 7 || info.Status != 14 {
		t.Errorf("with a status: %+v, %v", info, err)
	}
	if _, err := g.final(GoAway{Status: 14}, 9); err == nil {
		t.Error("the end was announced twice")
	}
	if _, err := g.notice(GoAway{}); err == nil {
		t.Error("a notice follows the final GOAWAY")
	}
}

func TestGoAwaysOfThePeerOnlyLowerTheLastStream(t *testing.T) {
	g := goAwayState{side: Acceptor}
	if !closed(g.whenDeparted()) {
		t.Error("a peer that has announced nothing is waited for")
	}
	stopped := g.peerStopped.done()
	if err := g.receive(&GoAway{LastStream: frame.MaxVarint}); err != nil {
		t.Fatal(err)
	}
	departed := g.whenDeparted()
	if !closed(stopped) || !closed(g.draining.done()) || closed(departed) || g.ended() {
		t.Errorf("after a notice: %+v", &g)
	}
	if err := g.receive(&GoAway{LastStream: 4, Status: 1}); err != nil {
		t.Fatal(err)
	}
	if !closed(departed) || !g.departed() || !g.ended() {
		t.Errorf("after the final GOAWAY: %+v", &g)
	}
	if err := g.receive(&GoAway{LastStream: 6}); err == nil {
		t.Error("the last stream was raised")
	}
}

func TestDialerLearnsNothingOfThePeersOpening(t *testing.T) {
	g := goAwayState{side: Dialer}
	if err := g.receive(&GoAway{}); err != nil {
		t.Fatal(err)
	}
	if closed(g.peerStopped.done()) {
		t.Error("an acceptor's GOAWAY says nothing about its own streams")
	}
}
