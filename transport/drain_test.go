package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/frame"
)

// drain has the session drain beside the test.
func drain(t *testing.T, s *transport.Session) <-chan error {
	return start(func() error { return s.Drain(t.Context(), transport.GoAway{}, 0) })
}

func TestDrainWaitsForStreamsOfBothEndsAndForThoseWhoUseThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := meet(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(openEnd(1))
		theirs, ours := mustAccept(t, s), mustOpen(t, s)
		p.got()
		drained := drain(t, s)
		stillWaits(t, drained)
		p.wants("GOAWAY 1")
		mustCloseSend(t, theirs, "")
		stillWaits(t, drained) // it is over, but still in use
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
		h := newHarbor(t)
		d, st := h.begin()
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

func TestDrainOfASessionWithoutALinkWaitsForTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbor(t)
		d, st := h.begin()
		d.link.Cut()
		synctest.Wait()
		drained := drain(t, d.session)
		mustCloseSend(t, st, "bye")
		st.Close()
		stillWaits(t, drained)
		_, p := h.link("alice", d.wish(d.token, 0, 1))
		p.wants("HELLO resumed 1", "GOAWAY 1", `END 1 "bye"`, "RESET 1 cancel")
		p.send(frame.AppendAck(nil, 3))
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

func TestDrainOfASessionThatIsAwayAndHasNothingToSayIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbor(t)
		d, st := h.begin()
		st.Close()
		synctest.Wait()
		d.send(frame.AppendAck(nil, 1))
		synctest.Wait()
		d.link.Cut()
		synctest.Wait()
		if err := d.session.Drain(t.Context(), transport.GoAway{}, 0); err != nil {
			t.Error(err)
		}
	})
}

func TestDrainEndsWithItsContextOrTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := meet(t, transport.Acceptor, transport.Config{}, frame.Hello{})
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
