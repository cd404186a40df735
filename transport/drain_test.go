package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// drain drains the session on another goroutine, without a notice.
func drain(t *testing.T, s *transport.Session) <-chan error {
	return drainWith(t, s, 0)
}

// drainWith is like drain, with a notice for some time.
func drainWith(t *testing.T, s *transport.Session, notice time.Duration) <-chan error {
	return start(func() error { return s.Drain(t.Context(), transport.GoAway{Delay: 7}, notice) })
}

// drainer starts a session that can be resumed, and its peer.
func drainer(t *testing.T) (*transport.Session, *peer) {
	t.Helper()
	cfg := transport.Config{Sessions: new(transport.Sessions)}
	s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{ResumeWindow: 30_000})
	return s, p
}

const notice = "GOAWAY 9007199254740991"

func TestStreamsAreServedBetweenTheNoticeAndTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := drainer(t)
		drained := drainWith(t, s, 10*time.Second)
		p.wants(notice)
		if !isClosed(s.Draining()) || isClosed(s.PeerStoppedOpening()) || !s.CanOpen() {
			t.Errorf("draining %v, moved %v, can open %v", isClosed(s.Draining()), isClosed(s.PeerStoppedOpening()), s.CanOpen())
		}
		p.send(openEnd(1))
		st := mustAccept(t, s)
		advance(9 * time.Second)
		stillWaits(t, drained)
		p.send(open(3, ""))
		late := mustAccept(t, s)
		mustCloseSend(t, st, "served")
		mustCloseSend(t, late, "served")
		st.Close()
		late.Close()
		p.got()
		p.send(goAway(frame.MaxVarint)) // the dialer has moved
		p.wants("GOAWAY 3")
		p.send(open(5, ""))
		p.wants("RESET 5 refused")
		stillWaits(t, drained)
		p.send(frame.AppendAck(nil, 6)) // notice, 2 ENDs, RESET of 3, final GOAWAY, RESET of 5
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if s.CanOpen() {
			t.Error("a session that is drained opens streams")
		}
		s.Close(transport.CloseGoingAway, "")
		p.wants("GOAWAY 3") // the session ends now
		p.wantsClose(transport.CloseGoingAway)
	})
}

func TestLastWordWaitsForTheDialerNoLongerThanTheNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := drainer(t)
		p.send(open(1, ""))
		st := mustAccept(t, s)
		drained := drainWith(t, s, 3*time.Second)
		p.wants(notice)
		advance(3*time.Second - 1)
		p.wants("ACK 1")
		advance(1)
		p.wants("GOAWAY 1")
		if err := s.Announce(transport.GoAway{}); !errors.Is(err, transport.ErrDraining) {
			t.Errorf("a notice behind the last word: %v", err)
		}
		stillWaits(t, drained)
		mustSend(t, st, "goes on")
		p.wants(`DATA 1 "goes on"`)
	})
}

func TestDrainingEndOpensStreamsUntilItIsAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := drainer(t)
		drained := drainWith(t, s, time.Second)
		p.wants(notice)
		mustOpen(t, s)
		p.wants(`OPEN 2 ""`)
		p.send(goAway(frame.MaxVarint))
		p.wants("GOAWAY 0")
		st := mustOpen(t, s)
		p.wants(`OPEN 4 ""`)
		p.send(frame.AppendAck(nil, 4), reset(2, 1))
		stillWaits(t, drained)
		mustCloseSend(t, st, "")
		p.send(end(4, ""))
		p.got()
		stillWaits(t, drained) // its frames are not acknowledged
		again := mustOpen(t, s)
		p.wants(`OPEN 6 ""`)
		p.send(frame.AppendAck(nil, 6))
		stillWaits(t, drained) // there is a stream again
		again.Close()
		p.got()
		p.send(frame.AppendAck(nil, 7))
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if _, err := s.Open(t.Context(), nil); !errors.Is(err, transport.ErrDraining) {
			t.Errorf("Open: %v", err)
		}
		p.wantsLife()
	})
}

func TestNoticeMovesADialerAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		s, p := connectSession(t, transport.Dialer, transport.Config{OnGoAway: func(*transport.Session) { told++ }}, frame.Hello{})
		st := mustOpen(t, s)
		p.got()
		info := frame.GoAway{LastStream: frame.MaxVarint, Delay: 1500, Reason: "deploy"}
		p.send(info.Append(nil))
		synctest.Wait()
		got, ok := s.PeerGoAway()
		if !ok || got != transport.GoAway(info) || !got.Notice() || told != 1 || !isClosed(s.Draining()) || !s.CanOpen() {
			t.Errorf("got %+v, %v; told %d times, can open: %v", got, ok, told, s.CanOpen())
		}
		other := mustOpen(t, s)
		p.wants(`OPEN 3 ""`)
		if err := s.StopOpening(); err != nil {
			t.Fatal(err)
		}
		if err := s.StopOpening(); err != nil {
			t.Errorf("again: %v", err)
		}
		p.wants(notice)
		if _, err := s.Open(t.Context(), nil); !errors.Is(err, transport.ErrDraining) || s.CanOpen() {
			t.Errorf("Open: %v, can open: %v", err, s.CanOpen())
		}
		p.send(open(2, ""), goAway(1)) // a stream that crosses it is refused, and can be repeated
		wantReset(t, recvErr(t, other), transport.ResetError{Code: transport.ResetRefused, Remote: true})
		mustSend(t, mustAccept(t, s), "served")
		mustSend(t, st, "goes on")
		p.wants(`DATA 2 "served"`, `DATA 1 "goes on"`)
	})
}

func TestNoticeSurvivesTheLinkThatItWasSentOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, _ := h.dial()
		d.link.Cut()
		synctest.Wait()
		drained := drainWith(t, d.session, time.Minute)
		stillWaits(t, drained)
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		p.wants("HELLO resumed 1", notice)
		p.send(goAway(frame.MaxVarint))
		p.wants("GOAWAY 1")
	})
}

func TestGoAwaysWithoutEndAreAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		for range 100 {
			p.send(goAway(frame.MaxVarint))
		}
		p.wantsLife()
		p.send(goAway(frame.MaxVarint))
		p.wantsClose(exhausted)
	})
}

func TestFinalGoAwayCannotBecomeANotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A6
		_, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		p.send(goAway(7), goAway(frame.MaxVarint))
		p.wantsClose(malformed)
	})
}

func TestOnlyADialerStopsOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		if err := s.StopOpening(); err == nil {
			t.Error("an acceptor retires")
		}
		p.wants()
	})
}

// startShutdown ends a dialer's session in good order, on another goroutine.
func startShutdown(t *testing.T, s *transport.Session) <-chan error {
	return start(func() error { return s.Shutdown(t.Context()) })
}

func TestDialerLeavesTheCloseToAnAcceptorThatDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		st := mustOpen(t, s)
		p.send(goAway(frame.MaxVarint))
		synctest.Wait()
		left := startShutdown(t, s)
		p.wants(`OPEN 1 ""`, notice)
		p.send(goAway(1))
		stillWaits(t, left)
		mustCloseSend(t, st, "")
		p.send(end(1, ""), open(2, "")) // a late call of the acceptor
		inbound := mustAccept(t, s)
		advance(5 * time.Second)
		stillWaits(t, left)
		p.send(end(2, ""))
		mustCloseSend(t, inbound, "")
		inbound.Close()
		p.got()
		advance(time.Second - 1)
		stillWaits(t, left)
		p.link.Close(transport.CloseGoingAway, "")
		if err := <-left; err != nil {
			t.Error(err)
		}
		wantCode(t, s.Err(), transport.CloseGoingAway)
	})
}

func TestDialerClosesWhenTheAcceptorDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		p.send(open(2, ""), goAway(0))
		inbound := mustAccept(t, s)
		synctest.Wait()
		left := startShutdown(t, s)
		advance(10 * time.Second)
		stillWaits(t, left)
		p.got()
		inbound.Close()
		advance(time.Second - 1)
		stillWaits(t, left)
		if err := <-left; err != nil {
			t.Error(err)
		}
		p.wants("RESET 2 cancel", "GOAWAY 2")
		p.wantsClose(transport.CloseNormal)
	})
}

func TestDialerThatHasOnlyANoticeKeepsItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		p.send(goAway(frame.MaxVarint))
		synctest.Wait()
		left := startShutdown(t, s)
		for range 60 {
			advance(10 * time.Second)
			p.send(ping("alive?!!"))
		}
		stillWaits(t, left)
		p.send(goAway(0))
		if err := <-left; err != nil {
			t.Error(err)
		}
	})
}

func TestDialerLeavesAnAcceptorThatStaysAtOnceAndHarmsNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		p.send(open(2, ""))
		inbound := mustAccept(t, s)
		left := startShutdown(t, s)
		p.wants(notice)
		stillWaits(t, left)
		inbound.Close()
		if err := <-left; err != nil {
			t.Error(err)
		}
		p.wants("RESET 2 cancel", "GOAWAY 2") // streams above that can be repeated elsewhere
		p.wantsClose(transport.CloseNormal)
	})
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		p.send(open(2, ""))
		mustAccept(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || s.Err() != nil {
			t.Errorf("got %v, ended: %v", err, s.Err())
		}
	})
}

func TestDrainWaitsForStreamsThatAreOpenOrInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(openEnd(1))
		theirs, ours := mustAccept(t, s), mustOpen(t, s)
		p.got()
		drained := drain(t, s)
		stillWaits(t, drained)
		p.wants("GOAWAY 1")
		mustCloseSend(t, theirs, "")
		stillWaits(t, drained) // the stream is over, but still in use
		theirs.Close()
		stillWaits(t, drained)
		p.send(end(2, ""))
		mustCloseSend(t, ours, "")
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if err := s.Err(); err != nil {
			t.Errorf("it ended by itself: %v", err)
		}
	})
}

func TestDrainWaitsUntilThePeerHasAcknowledgedAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		drained := drain(t, d.session)
		mustCloseSend(t, st, "bye")
		st.Close()
		stillWaits(t, drained)
		d.send(frame.AppendAck(nil, 1))
		stillWaits(t, drained)
		d.send(frame.AppendAck(nil, 3)) // GOAWAY, END and the RESET of the other direction
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

func TestDrainEndsWithItsContextOrTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Drain(ctx, transport.GoAway{}, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		p.send(data(1, "as before"))
		if got := mustRecv(t, st); got != "as before" {
			t.Errorf("got %q", got)
		}
		drained := drain(t, s)
		stillWaits(t, drained)
		p.link.Close(transport.CloseNormal, "")
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}
