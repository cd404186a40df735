package transport_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestGoAwayOfThePeerEndsOpeningAndNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		if _, gone := s.PeerGoAway(); gone || isClosed(s.Draining()) {
			t.Fatal("draining before anything happened")
		}
		first, second := mustOpen(t, s), mustOpen(t, s)
		p.send(open(2, ""))
		inbound := mustAccept(t, s)
		waiting := start(func() error { return recvErr(t, second) })
		p.got()
		last := frame.GoAway{LastStream: 1, Status: 14, Delay: 1500, Reason: "deploy", Address: "wss://b.example.com/rpc"}
		p.send(last.Append(nil))

		refused := transport.ResetError{Code: transport.ResetRefused, Remote: true}
		wantReset(t, <-waiting, refused)
		wantReset(t, second.Send(t.Context(), nil, transport.SendOptions{}), refused)
		if _, err := s.Open(t.Context(), nil); !errors.Is(err, transport.ErrDraining) {
			t.Errorf("Open: %v", err)
		}
		if got, gone := s.PeerGoAway(); !gone || got != transport.GoAway(last) {
			t.Errorf("got %+v, %v", got, gone)
		}
		if !isClosed(s.Draining()) {
			t.Error("not draining")
		}
		p.wants() // the second needs no GOAWAY

		mustSend(t, first, "question")
		p.send(data(1, "answer"), end(1, ""))
		if got := mustRecv(t, first); got != "answer" {
			t.Errorf("got %q", got)
		}
		wantEnd(t, first)
		mustCloseSend(t, first, "")
		p.wants(`DATA 1 "question"`, `END 1 ""`)

		p.send(data(2, "the peer goes on"), open(4, ""), data(4, "and still opens"))
		if got := mustRecv(t, inbound); got != "the peer goes on" {
			t.Errorf("got %q", got)
		}
		if got := mustRecv(t, mustAccept(t, s)); got != "and still opens" {
			t.Errorf("got %q", got)
		}
		p.wantsLife()
	})
}

func TestGoAwayMayOnlyBeLowered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // A6
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		first, second := mustOpen(t, s), mustOpen(t, s)
		p.got()
		p.send(goAway(frame.MaxVarint)) // a notice: all streams go on
		p.wantsLife()
		p.send(goAway(1), goAway(1))
		wantReset(t, recvErr(t, second), transport.ResetError{Code: transport.ResetRefused, Remote: true})
		p.send(data(1, "alive"))
		if got := mustRecv(t, first); got != "alive" {
			t.Errorf("got %q", got)
		}
		p.send(goAway(3))
		p.wantsClose(malformed)
	})
}

func TestOpenThatWaitsForAPlaceEndsWhenASessionDrains(t *testing.T) {
	drains := map[string]func(*transport.Session, *peer) error{
		"this end": func(s *transport.Session, _ *peer) error { return s.StopOpening() },
		"the peer": func(_ *transport.Session, p *peer) error { p.send(goAway(1 << 40)); return nil },
	}
	for who, drain := range drains {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
				for range 16 {
					mustOpen(t, s)
				}
				opened := openLater(t, s)
				stillWaits(t, opened)
				if err := drain(s, p); err != nil {
					t.Fatal(err)
				}
				if err := <-opened; !errors.Is(err, transport.ErrDraining) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestGoAwayOfThisEndRefusesLaterStreamsAndServesEarlierOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // S15
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), open(7, ""))
		mustAccept(t, s)
		st := mustAccept(t, s)
		if err := s.GoAway(transport.GoAway{LastStream: 99, Reason: "bye"}); err != nil {
			t.Fatal(err)
		}
		p.wants("GOAWAY 7")
		if !isClosed(s.Draining()) {
			t.Error("not draining")
		}
		p.send(open(9, ""), data(7, "question"))
		p.wants("RESET 9 refused")
		if got := mustRecv(t, st); got != "question" {
			t.Errorf("got %q", got)
		}
		mustSend(t, st, "answer")
		p.wants(`DATA 7 "answer"`)
		mustOpen(t, s) // it may still open streams itself
		p.wants(`OPEN 2 ""`)
		if err := s.GoAway(transport.GoAway{}); !errors.Is(err, transport.ErrDraining) {
			t.Errorf("GoAway again: %v", err)
		}
		if err := s.Announce(transport.GoAway{}); !errors.Is(err, transport.ErrDraining) {
			t.Errorf("a notice behind the last word: %v", err)
		}
		p.send(goAway(0)) // and so may the peer
		p.wantsLife()
		s.Close(transport.CloseGoingAway, "")
		wantCode(t, s.GoAway(transport.GoAway{}), transport.CloseGoingAway)
	})
}

func TestGoAwayWithNumbersOutOfRangeIsStillSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		if err := a.GoAway(transport.GoAway{Status: 1 << 60, Delay: 1 << 63}); err != nil {
			t.Fatal(err)
		}
		<-d.Draining()
		if info, _ := d.PeerGoAway(); info.Status != frame.MaxVarint || info.Delay != frame.MaxVarint {
			t.Errorf("got %+v", info)
		}
	})
}

func TestGoAwayIsRefusedBySessionsThatHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		s.Close(transport.CloseNormal, "")
		wantCode(t, s.GoAway(transport.GoAway{}), transport.CloseNormal)
	})
}

func TestTextThatIsNotUTF8IsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // B6
		s, p := startSession(t, transport.Dialer, transport.Config{})
		p.send(raw(frame.TypeHello, 0, 0, "\x05\x03a\xffb"))
		st := mustOpen(t, s)
		p.send(raw(frame.TypeReset, 0, 1, "\x01a\xffb"), raw(frame.TypeGoAway, 0, 0, "\x01\x03a\xffb"))
		synctest.Wait()
		const want = "a\ufffdb"
		if peer, err := s.PeerSettings(t.Context()); err != nil || peer.Agent != want {
			t.Errorf("agent %q, %v", peer.Agent, err)
		}
		if info, _ := s.PeerGoAway(); info.Reason != want {
			t.Errorf("GOAWAY %q", info.Reason)
		}
		var got *transport.ResetError
		if err := recvErr(t, st); !errors.As(err, &got) || got.Reason != want {
			t.Errorf("reset %v", err)
		}
	})
}

func TestTextForThePeerIsCutAndRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{Parameters: transport.Parameters{Agent: strings.Repeat("ä", 100)}}, transport.Config{})
		if peer, err := a.PeerSettings(t.Context()); err != nil || peer.Agent != strings.Repeat("ä", 64) {
			t.Errorf("agent %q, %v", peer.Agent, err)
		}
		long := "\xff" + strings.Repeat("ä", 1000)
		out := mustOpen(t, d)
		in := mustAccept(t, a)
		out.Reset(300, long)
		var got *transport.ResetError
		if err := recvErr(t, in); !errors.As(err, &got) || len(got.Reason) > transport.MaxReason || !strings.HasPrefix(got.Reason, "\ufffdää") {
			t.Errorf("reset %v", err)
		}
		if err := d.GoAway(transport.GoAway{Reason: long}); err != nil {
			t.Fatal(err)
		}
		<-a.Draining()
		if info, _ := a.PeerGoAway(); len(info.Reason) > transport.MaxReason || !strings.HasPrefix(info.Reason, "\ufffdää") {
			t.Errorf("GOAWAY %q", info.Reason)
		}
		if a.Err() != nil || d.Err() != nil {
			t.Errorf("ended: %v, %v", a.Err(), d.Err())
		}
	})
}
