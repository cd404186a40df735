package transport_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// widened is the limit of a window that GrowWindow has widened, in words.
const widened = "2097152"

func TestCreditNeverOvertakesTheOpenOfItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, first := fillQueue(t, transport.Config{})
		second, err := s.Open(t.Context(), make([]byte, 4<<10)) // small frames go ahead of it
		if err != nil {
			t.Fatal(err)
		}
		second.GrowWindow()
		third := mustOpen(t, s)
		third.GrowWindow()
		mustSend(t, first, "waits")
		first.GrowWindow() // its OPEN is on the way
		p.wantsNow("WINDOW 1 "+widened, `DATA 1 "waits"`, "OPEN 3 4096 bytes", `OPEN 5 ""`, "WINDOW 3 "+widened, "WINDOW 5 "+widened)
	})
}

func TestCreditIsRepeatedAfterAResumptionAndNeverBeforeTheOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, _ := h.dial()
		st := mustOpen(t, d.session)
		mustSend(t, st, "one")
		st.GrowWindow()
		sent := d.got()
		opens, grows := slices.Index(sent, `OPEN 2 ""`), slices.Index(sent, "WINDOW 2 "+widened)
		if opens < 0 || grows < opens || !slices.Contains(sent, `DATA 2 "one"`) {
			t.Fatalf("the peer got %q, want the WINDOW behind the OPEN", sent)
		}
		token := d.token
		for attempt, c := range []struct {
			received uint64
			want     []string
		}{
			{0, []string{`OPEN 2 ""`, `DATA 2 "one"`, "WINDOW 2 " + widened}},
			{1, []string{`DATA 2 "one"`, "WINDOW 2 " + widened}},
			{2, []string{"WINDOW 2 " + widened}},
		} {
			_, p := h.link("alice", d.resumeHello(token, c.received, uint64(attempt)+1))
			token = d.wantsResumed(p)
			got := slices.DeleteFunc(p.got(), func(f string) bool { return f[0] == 'H' || f[0] == 'P' }) // HELLO, PING
			if !slices.Equal(got, c.want) {
				t.Errorf("after %d frames: %q, want %q", c.received, got, c.want)
			}
			p.send(frame.AppendAck(nil, c.received)) // it has the token
			synctest.Wait()
			p.link.Cut()
			synctest.Wait()
		}
	})
}

func TestWindowsAreWidenedOnlyWhileThreeQuartersOfTheBudgetAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, smallWindows(8<<20), frame.Hello{MaxStreams: 16})
		first, second := mustOpen(t, s), mustOpen(t, s)
		p.wants(`OPEN 1 ""`, `OPEN 3 ""`)
		first.GrowWindow()
		first.GrowWindow()
		second.GrowWindow()
		p.wants("WINDOW 1 " + widened)
		first.Close()
		p.wants("RESET 1 cancel")
		second.GrowWindow()
		p.wants("WINDOW 3 " + widened)
	})
}

func TestWindowsAreWidenedOnlyWhileThreeQuartersOfTheBudgetOfAllSessionsAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := transport.Config{}
		cfg.WindowBudget = transport.NewBudget(8 << 20)
		one, p := connectSession(t, transport.Dialer, cfg, frame.Hello{MaxStreams: 16})
		two, q := connectSession(t, transport.Dialer, cfg, frame.Hello{MaxStreams: 16})
		st := mustOpen(t, one)
		st.GrowWindow()
		mustOpen(t, two).GrowWindow()
		p.wants(`OPEN 1 ""`, "WINDOW 1 "+widened)
		q.wants(`OPEN 1 ""`)
		st.Close()
		mustOpen(t, two).GrowWindow()
		q.wants(`OPEN 3 ""`, "WINDOW 3 "+widened)
	})
}

func TestMessageOfSeveralFramesWidensTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(8<<20), frame.Hello{})
		p.send(open(1, ""), open(3, ""), data(1, half), dataMore(3, "tiny"))
		mustAccept(t, s)
		mustAccept(t, s)
		p.wants() // neither is going to carry much, as far as can be seen
		p.send(dataMore(3, half))
		p.wants("WINDOW 3 "+widened, `PING "\x00\x00\x00\x00\x00\x00\x00\x01"`)
		p.send(dataMore(3, half))
		p.wants()
	})
}
