package transport_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func TestDrainOfASessionWithoutALinkWaitsForTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, st := h.dial()
		d.link.Cut()
		synctest.Wait()
		drained := drain(t, d.session)
		mustCloseSend(t, st, "bye")
		st.Close()
		stillWaits(t, drained)
		_, p := h.link("alice", d.resumeHello(d.token, 0, 1))
		p.wants("HELLO resumed 1", "GOAWAY 1", `END 1 "bye"`, "RESET 1 cancel")
		p.send(frame.AppendAck(nil, 3))
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// detachedAtRest returns the dialer of a detached session that has nothing to
// send.
func (h *acceptorHost) detachedAtRest() *dialer {
	h.t.Helper()
	d, st := h.dial()
	st.Close()
	synctest.Wait()
	d.send(frame.AppendAck(nil, 1))
	synctest.Wait()
	d.link.Cut()
	synctest.Wait()
	return d
}

func TestDrainOfADetachedSessionWithNothingToSayIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newAcceptorHost(t).detachedAtRest()
		began := time.Now()
		if err := d.session.Drain(t.Context(), transport.GoAway{}, 0); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Drain took %v", took)
		}
	})
}

func TestDrainWithANoticeGivesADetachedSessionASecondToResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newAcceptorHost(t).detachedAtRest()
		began := time.Now()
		if err := d.session.Drain(t.Context(), transport.GoAway{}, 10*time.Second); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Drain took %v", took)
		}
	})
}

func TestStreamThatWasLostWithTheLinkIsServedDuringADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d := h.detachedAtRest()
		drained := drainWith(t, d.session, 10*time.Second)
		advance(time.Second / 4) // so that the ACK is due before the second is over
		_, p := h.link("alice", d.resumeHello(d.token, 1, 1))
		p.send(open(3, "lost with the link"))
		st := mustAccept(t, d.session)
		advance(time.Second)
		p.wants("HELLO resumed 1", "ACK 2", notice)
		stillWaits(t, drained)
		st.Close()
		_ = d.session.Close(transport.CloseGoingAway, "")
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}
