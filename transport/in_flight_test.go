package transport_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// farHello is the HELLO of a dialer that gives as much credit as can be used.
var farHello = frame.Hello{ResumeWindow: 30_000, InitialWindow: 1 << 30, MaxMessage: 1 << 20}

// bulkSize is the size of a message of sendBulk in bytes. It fits into a frame.
const bulkSize = 8 << 10

// dialFar is like dial, for a dialer that gives much credit and acknowledges
// only what the test says.
func (h *acceptorHost) dialFar() (*dialer, *transport.Stream) {
	h.t.Helper()
	s, p := h.link("alice", farHello.Append(nil))
	p.send(open(1, ""))
	st := mustAccept(h.t, s)
	got := p.peerHello()
	p.got()
	return &dialer{peer: p, session: s, id: got.Session, token: got.Token}, st
}

// sendBulk sends messages without end, until the test is over.
func sendBulk(t *testing.T, st *transport.Stream) {
	ctx, cancel := context.WithCancel(context.Background())
	done := start(func() error {
		for {
			if err := st.Send(ctx, make([]byte, bulkSize), transport.SendOptions{}); err != nil {
				return err
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		<-done // the context has ended
	})
	synctest.Wait()
}

// held returns how many bytes a session keeps that its peer has not
// acknowledged.
func held(s *transport.Session) int {
	synctest.Wait()
	return s.Stats().UnacknowledgedBytes
}

// ack acknowledges n frames.
func (p *peer) ack(n int) {
	p.t.Helper()
	p.send(frame.AppendAck(nil, uint64(n)))
	synctest.Wait()
}

// bulkIn returns how many messages of sendBulk are among frames.
func bulkIn(frames []string) (n int) {
	for _, f := range frames {
		if strings.HasPrefix(f, "DATA") && strings.HasSuffix(f, fmt.Sprintf("%d bytes", bulkSize)) {
			n++
		}
	}
	return n
}

func TestNoMoreThanTwiceTheReplayLimitIsSentToAPeerThatNeverAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.cfg.ReplayLimit = 64 << 10
		d, st := h.dialFar()
		sendBulk(t, st)
		advance(10 * time.Second)
		if n := held(d.session); n > 128<<10 || n < 100<<10 {
			t.Errorf("%d bytes are kept, want 128 KiB", n)
		}
	})
}

func TestSessionsShareTheBudgetForReplayAndReturnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const budget = 256 << 10
		h := newAcceptorHost(t)
		h.cfg.ReplayLimit = 64 << 10
		h.cfg.ReplayBudget = transport.NewBudget(budget)
		first, st := h.dialFar()
		sendBulk(t, st)
		if n := held(first.session); n <= 64<<10 || h.cfg.ReplayBudget.Left() != 0 {
			t.Errorf("the first session keeps %d bytes, %d of the budget are left", n, h.cfg.ReplayBudget.Left())
		}
		second, st := h.dialFar()
		sendBulk(t, st)
		if n := held(second.session); n > 64<<10 || n < 48<<10 {
			t.Errorf("the second session keeps %d bytes, want its own 64 KiB", n)
		}
		first.session.Close(transport.CloseAbnormal, "")
		advance(10 * time.Second)
		second.ack(4) // it looks for room again
		if n := held(second.session); n <= 64<<10 {
			t.Errorf("the second session keeps %d bytes, though the budget is free", n)
		}
		second.session.Close(transport.CloseAbnormal, "")
		advance(time.Minute)
		if left := h.cfg.ReplayBudget.Left(); left != budget {
			t.Errorf("%d of the budget are left after both sessions have ended", left)
		}
	})
}

func TestSessionThatIsLostReturnsTheBudgetForReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.cfg.ReplayLimit = 64 << 10
		h.cfg.ReplayBudget = transport.NewBudget(1 << 20)
		d, st := h.dialFar()
		sendBulk(t, st)
		d.link.Cut()
		advance(29 * time.Second)
		if h.cfg.ReplayBudget.Left() == 1<<20 {
			t.Error("a detached session keeps nothing")
		}
		advance(2 * time.Second)
		if left := h.cfg.ReplayBudget.Left(); left != 1<<20 {
			t.Errorf("%d of the budget are left", left)
		}
	})
}

func TestResumptionRetransmitsWhatIsInFlightOnceAndLearnsThePathAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		h.cfg.ReplayLimit = 64 << 10
		d, st := h.dialFar()
		sendBulk(t, st)
		received := 0
		for range 5 { // round trips of 10 ms, in which the limit grows
			advance(10 * time.Millisecond)
			received += bulkIn(d.got())
			d.ack(received)
		}
		kept := bulkIn(d.got())
		if n := held(d.session); n < 256<<10 || n < kept*bulkSize {
			t.Fatalf("%d bytes are in flight, %d messages: the limit did not grow", n, kept)
		}
		const missed = 3 // that were on the way when the link was cut
		d.link.Cut()
		synctest.Wait()
		_, p := h.link("alice", d.resumeHello(d.token, uint64(received+kept-missed), 1))
		d.wantsResumed(p)
		before := held(d.session)
		got := bulkIn(p.got())
		if most := missed + (128<<10)/bulkSize; got < missed || got > most {
			t.Errorf("%d messages came on the new link, want %d at least and %d at most", got, missed, most)
		}
		if before > 128<<10 {
			t.Errorf("%d bytes are in flight on a path that is not known", before)
		}

		p.link.Cut() // this time all of it
		synctest.Wait()
		token := p.peerHello().Token
		_, p = h.link("alice", d.resumeHello(token, uint64(received+kept-missed), 2))
		d.wantsResumed(p)
		if again := bulkIn(p.got()); again != got {
			t.Errorf("%d messages were sent again, want %d", again, got)
		}
		p.ack(received + kept - missed + got)
		if more := bulkIn(p.got()); more == 0 {
			t.Error("nothing follows what was sent again")
		}
	})
}

// A peer of version 0.1 acknowledges after a quarter of replay_limit or 500 ms.
func TestPeerThatAcknowledgesLateAndRarelyIsServedNoSlowerThanWithAFixedLimit(t *testing.T) {
	for _, c := range []struct {
		name    string
		every   int           // bytes
		delayed time.Duration // without so many
	}{
		{"a quarter of replay_limit", 256 << 10, 500 * time.Millisecond},
		{"by time only", 1 << 30, 500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newAcceptorHost(t)
				s, p := startSessionOver(t, pipe.Config{Latency: 25 * time.Millisecond, Capacity: 64 << 20}, transport.Acceptor, h.cfg)
				p.send(farHello.Append(nil), open(1, ""))
				sendBulk(t, mustAccept(t, s))
				const enough = (32 << 20) / bulkSize
				began, acked, received := time.Now(), 0, 0
				due := began.Add(c.delayed)
				for received < enough && time.Since(began) < time.Minute {
					advance(time.Millisecond)
					received += bulkIn(p.got())
					if (received-acked)*bulkSize >= c.every || time.Now().After(due) {
						acked, due = received, time.Now().Add(c.delayed)
						p.ack(acked)
					}
				}
				// 1 MiB in each round trip, or in each 550 ms.
				most := 32 * 50 * time.Millisecond
				if c.every > 1<<20 {
					most = 32 * 550 * time.Millisecond
				}
				if took := time.Since(began); took > most {
					t.Errorf("32 MiB took %v, want %v at most", took, most)
				}
			})
		})
	}
}

func TestSmallMessagesPassASaturatedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		s, p := startSessionOver(t, pipe.Config{Capacity: 1}, transport.Acceptor, h.cfg)
		p.send(farHello.Append(nil), open(1, ""), open(3, ""))
		bulk, call := mustAccept(t, s), mustAccept(t, s)
		p.got()
		p.link.Stall()
		sendBulk(t, bulk)
		for i := range 3 {
			mustSend(t, call, "small")
			synctest.Wait()
			p.link.Resume()
			frames := p.got()
			p.link.Stall()
			ahead := bulkIn(frames[:max(slices.Index(frames, `DATA 3 "small"`), 0)])
			if !slices.Contains(frames, `DATA 3 "small"`) || ahead*bulkSize > 128<<10 {
				t.Errorf("message %d came behind %d bytes: %q", i, ahead*bulkSize, frames[:min(len(frames), 3)])
			}
			if i == 0 && bulkIn(frames)*bulkSize < 1<<20 {
				t.Error("the stream does not saturate the link")
			}
		}
	})
}

func TestRoundTripIsMeasuredByHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := startSessionOver(t, pipe.Config{Latency: 20 * time.Millisecond}, transport.Dialer, transport.Config{})
		advance(20 * time.Millisecond)
		p.send(hello())
		advance(20 * time.Millisecond)
		if got := s.RoundTrip(); got != 40*time.Millisecond {
			t.Errorf("a round trip of %v, want 40 ms", got)
		}
	})
}

// measured makes a session measure its round trip, and returns the PING's
// payload.
func measured(t *testing.T, s *transport.Session, p *peer) string {
	t.Helper()
	mustOpen(t, s).GrowWindow()
	for _, f := range p.got() {
		if opaque, ok := strings.CutPrefix(f, `PING "\x00\x00\x00\x00\x00\x00\x00\x`); ok {
			return "\x00\x00\x00\x00\x00\x00\x00" + string(opaque[1]-'0')
		}
	}
	t.Fatal("no PING")
	return ""
}

func TestRoundTripIsMeasuredByPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{MaxStreams: 16})
		opaque := measured(t, s, p)
		advance(30 * time.Millisecond)
		p.send(pong(opaque))
		synctest.Wait()
		if got := s.RoundTrip(); got != 30*time.Millisecond {
			t.Errorf("a round trip of %v, want 30 ms", got)
		}
	})
}

func TestPingThatWasLostWithItsLinkMeasuresNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newAcceptorHost(t)
		d, _ := h.dial()
		opaque := measured(t, d.session, d.peer)
		d.link.Cut()
		advance(5 * time.Second)
		_, p := h.link("alice", d.resumeHello(d.token, 1, 1))
		d.wantsResumed(p)
		p.send(pong(opaque), pong("\xff\xff\xff\xff\xff\xff\xff\xff"))
		synctest.Wait()
		if got := d.session.RoundTrip(); got != 0 {
			t.Errorf("a round trip of %v was measured over two links", got)
		}
	})
}
