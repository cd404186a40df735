package transport_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// takeHalf makes the peer use half of the smallest window on stream id, and the
// application read it.
func takeHalf(t *testing.T, p *peer, st *transport.Stream) {
	t.Helper()
	p.send(data(st.ID(), half))
	mustRecv(t, st)
}

func TestWindowDoublesWhileTheReaderKeepsUpWithFastData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := smallWindows(1 << 20)
		cfg.MaxWindow = 64 << 10
		s, p := connectSession(t, transport.Acceptor, cfg, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		takeHalf(t, p, st)
		p.wants("WINDOW 1 24576") // the rate is not known yet
		takeHalf(t, p, st)
		p.wants("WINDOW 1 49152") // 16 KiB consumed, a window of 32 KiB
		takeHalf(t, p, st)
		p.wants()
		takeHalf(t, p, st)
		p.wants("WINDOW 1 98304") // 32 KiB and 64 KiB
		for range 4 {
			takeHalf(t, p, st)
		}
		p.wants("WINDOW 1 131072") // MaxWindow is reached
	})
}

func TestWindowStaysWhenTheReaderLagsOrDataIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(1<<20), frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		p.send(data(1, half))
		for range 4 { // one message always waits for the reader
			p.send(data(1, half))
			synctest.Wait()
			mustRecv(t, st)
		}
		p.wants("WINDOW 1 24576", "WINDOW 1 32768", "WINDOW 1 40960", "WINDOW 1 49152")
		p.send(open(3, ""))
		slow := mustAccept(t, s)
		for range 4 {
			takeHalf(t, p, slow)
			advance(250 * time.Millisecond)
		}
		p.wants("WINDOW 3 24576", "WINDOW 3 32768", "WINDOW 3 40960", "WINDOW 3 49152")
	})
}

func TestWindowsGrowWithinTheBudgetOfTheSessionAndCloseReturnsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(16<<10), frame.Hello{})
		p.send(open(1, ""), open(3, ""))
		first, second := mustAccept(t, s), mustAccept(t, s)
		takeHalf(t, p, first)
		takeHalf(t, p, first)
		takeHalf(t, p, first)
		takeHalf(t, p, first)
		p.wants("WINDOW 1 24576", "WINDOW 1 49152", "WINDOW 1 65536") // grew once: that was the budget
		takeHalf(t, p, second)
		takeHalf(t, p, second)
		takeHalf(t, p, second)
		p.wants("WINDOW 3 24576", "WINDOW 3 32768", "WINDOW 3 40960")
		first.Close()
		p.wants("RESET 1 cancel")
		takeHalf(t, p, second)
		p.wants("WINDOW 3 65536") // 32 KiB consumed, a window of 32 KiB
		first.Close()             // returns nothing twice
		for range 8 {
			takeHalf(t, p, second)
		}
		p.wants("WINDOW 3 81920", "WINDOW 3 98304", "WINDOW 3 114688", "WINDOW 3 131072")
	})
}

func TestBudgetIsReturnedHoweverAStreamEnds(t *testing.T) {
	ends := map[string]func(*testing.T, *peer, *transport.Stream){
		"reset by the peer":      func(_ *testing.T, p *peer, st *transport.Stream) { p.send(reset(st.ID(), 1)) },
		"reset by this end":      func(_ *testing.T, _ *peer, st *transport.Stream) { st.Reset(transport.ResetCancel, "") },
		"ended by both":          func(t *testing.T, p *peer, st *transport.Stream) { p.send(end(st.ID(), "")); mustCloseSend(t, st, "") },
		"in breach of the rules": func(_ *testing.T, p *peer, st *transport.Stream) { p.send(header(st.ID(), "")) },
		"open":                   func(*testing.T, *peer, *transport.Stream) {},
	}
	for how, finish := range ends {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Acceptor, smallWindows(16<<10), frame.Hello{})
				for i := range uint64(10) {
					p.send(open(2*i+1, ""))
					st := mustAccept(t, s)
					takeHalf(t, p, st)
					p.got()
					takeHalf(t, p, st)
					if got := p.got(); len(got) != 1 || got[0] != fmt.Sprintf("WINDOW %d 49152", st.ID()) {
						t.Fatalf("stream %d did not get the budget: %q", st.ID(), got)
					}
					finish(t, p, st)
					st.Close()
					p.got()
				}
			})
		})
	}
}
