package transport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// generous is a HELLO that lets a session send what it likes.
var generous = frame.Hello{MaxMessage: 8 << 20, MaxStreams: 1 << 20, InitialWindow: 8 << 20}

// fillQueue starts a session whose writer blocks: the peer reads nothing until
// its link resumes. The first stream's OPEN is in transit.
func fillQueue(t *testing.T, cfg transport.Config) (*transport.Session, *peer, *transport.Stream) {
	t.Helper()
	s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, cfg, generous)
	p.link.Stall()
	first := mustOpen(t, s)
	synctest.Wait()
	mustSend(t, first, "on the way")
	synctest.Wait()
	return s, p, first
}

// wantsNow lets the peer read again and checks what it gets.
func (p *peer) wantsNow(frames ...string) {
	p.t.Helper()
	p.link.Resume()
	p.wants(append([]string{`OPEN 1 ""`, `DATA 1 "on the way"`}, frames...)...)
}

func TestControlFramesOvertakeData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, first := fillQueue(t, transport.Config{})
		second := mustOpen(t, s)
		for range 3 {
			mustSend(t, second, "waits")
		}
		go func() { _, _ = s.Ping(t.Context()) }()
		synctest.Wait()
		p.send(ping("question"))
		synctest.Wait()
		first.Reset(transport.ResetCancel, "")
		if err := s.GoAway(transport.GoAway{}); err != nil {
			t.Fatal(err)
		}
		p.wantsNow(`PING "\x00\x00\x00\x00\x00\x00\x00\x01"`, `PONG "question"`, "RESET 1 cancel", "GOAWAY 0",
			`OPEN 3 ""`, `DATA 3 "waits"`, `DATA 3 "waits"`, `DATA 3 "waits"`)
	})
}

func TestCreditOvertakesData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, first := fillQueue(t, smallWindows(0))
		mustSend(t, first, "waits")
		p.send(data(1, half))
		mustRecv(t, first)
		synctest.Wait() // credit may follow what is received
		p.wantsNow("WINDOW 1 24576", `DATA 1 "waits"`)
	})
}

func TestResetNeverOvertakesItsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := fillQueue(t, transport.Config{})
		second, third := mustOpen(t, s), mustOpen(t, s)
		mustSend(t, third, "other")
		second.Reset(300, "")
		p.wantsNow(`OPEN 3 ""`, `OPEN 5 ""`, `DATA 5 "other"`, "RESET 3 code 300")
	})
}

func TestResetNeverOvertakesTheEndOfItsDirection(t *testing.T) {
	ends := map[string]func(*testing.T, *transport.Stream){
		"DATA 1 +end \"last\"": func(t *testing.T, st *transport.Stream) {
			if err := st.Send(t.Context(), []byte("last"), transport.SendOptions{End: true}); err != nil {
				t.Fatal(err)
			}
		},
		"END 1 \"trailer\"": func(t *testing.T, st *transport.Stream) { mustCloseSend(t, st, "trailer") },
	}
	for last, finish := range ends {
		synctest.Test(t, func(t *testing.T) {
			s, p, first := fillQueue(t, transport.Config{})
			mustSend(t, first, "before")
			finish(t, first)
			other := mustOpen(t, s)
			mustSend(t, other, "behind")
			first.Close()
			p.wantsNow(`DATA 1 "before"`, last, `OPEN 3 ""`, `DATA 3 "behind"`, "RESET 1 cancel")
		})
	}
}

func TestResetDoesNotWaitBehindDataOfItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, first := fillQueue(t, transport.Config{})
		mustSend(t, first, "dropped by the peer")
		first.Reset(transport.ResetCancel, "")
		p.wantsNow("RESET 1 cancel", `DATA 1 "dropped by the peer"`)
	})
}

func TestSmallMessagePassesALargeOneThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, first := fillQueue(t, transport.Config{})
		second := mustOpen(t, s)
		large := start(func() error {
			return first.Send(t.Context(), make([]byte, 4<<20), transport.SendOptions{})
		})
		stillWaits(t, large)
		small := start(func() error {
			return second.Send(t.Context(), []byte("small"), transport.SendOptions{})
		})
		if err := <-small; err != nil { // room is left for it
			t.Error(err)
		}
		p.link.Resume()
		frames := p.got()
		passes, last := slices.Index(frames, `DATA 3 "small"`), slices.Index(frames, "DATA 1 16384 bytes")
		if passes < 0 || passes > 8 || last != len(frames)-1 || last < 256 {
			t.Fatalf("small was frame %d, the end of the large one frame %d of %d", passes, last, len(frames))
		}
		if err := <-large; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsReadyGoesOutInOneMessageOfTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, first := fillQueue(t, transport.Config{})
		var want []string
		for i := range 50 {
			mustSend(t, first, fmt.Sprint(i))
			want = append(want, fmt.Sprintf("DATA 1 %q", fmt.Sprint(i)))
		}
		st := mustOpen(t, s)
		mustCloseSend(t, st, "")
		p.mu.Lock()
		p.sizes = nil
		p.mu.Unlock()
		p.wantsNow(append(want, `OPEN 3 ""`, `END 3 ""`)...)
		if len(p.sizes) != 3 { // the two that were in transit, and the rest
			t.Errorf("the frames came in %d messages", len(p.sizes))
		}
	})
}

func TestLargeMessageGoesOutInFullMessagesOfTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hello := generous
		hello.MaxFrame = 1 << 20
		s, p := connectSession(t, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 8 << 20}}, hello)
		st := mustOpen(t, s)
		p.got()
		p.link.Stall() // so that everything is queued
		mustSend(t, st, string(make([]byte, 4<<20)))
		p.link.Resume()
		p.got()
		if n := len(p.sizes); n > 4<<20/(60<<10)+3 {
			t.Errorf("4 MiB went out in %d messages", n)
		}
	})
}

func TestNoMessageOfTheLinkExceedsItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, first := fillQueue(t, transport.Config{Parameters: transport.Parameters{WriteQueue: 1 << 20}})
		for i := range uint64(100) { // RESETs of 1 KiB each, ahead of data
			p.send(open(2*i+2, ""))
			mustAccept(t, s).Reset(transport.ResetInternal, strings.Repeat("r", transport.MaxReason))
		}
		for range 30 {
			mustSend(t, first, string(make([]byte, 32<<10)))
		}
		p.link.Resume()
		p.got()
		for _, size := range p.sizes {
			if size > 16<<10+64<<10 { // max_frame of the peer and 64 KiB
				t.Errorf("a message of %d bytes", size)
			}
		}
	})
}

// TestNoOpenOvertakesTheResetsThatMakeRoomForIt queues so many RESETs that they
// need several link messages. The peer must not count more streams than it
// allows.
func TestNoOpenOvertakesTheResetsThatMakeRoomForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 200
		hello := generous
		hello.MaxStreams = most
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{}, hello)
		streams := make([]*transport.Stream, most)
		for i := range streams {
			streams[i] = mustOpen(t, s)
		}
		p.got()
		p.link.Stall()
		mustSend(t, streams[0], "on the way")
		synctest.Wait()
		mustSend(t, streams[0], "on the way")
		synctest.Wait()
		for _, st := range streams {
			st.Reset(transport.ResetCancel, strings.Repeat("x", 1000))
		}
		for range most {
			mustOpen(t, s)
		}
		p.link.Resume()
		open := most
		for _, f := range p.got() {
			switch {
			case strings.HasPrefix(f, "RESET"):
				open--
			case strings.HasPrefix(f, "OPEN"):
				open++
			}
			if open > most {
				t.Fatalf("%s while %d streams are open, %d are allowed", f, open-1, most)
			}
		}
	})
}
