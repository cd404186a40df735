package transport_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// gate is a link whose writes wait while it is shut.
type gate struct {
	transport.Link
	shut chan struct{} // has a token while it is
}

func (g *gate) WriteMessage(parts [][]byte) error {
	g.shut <- struct{}{}
	<-g.shut
	return g.Link.WriteMessage(parts)
}

// connectBehindGate is meet with a session that can be resumed, whose link has a gate. cfg may
// change that.
func connectBehindGate(t *testing.T, change func(*transport.Config)) (*transport.Session, *peer, *gate) {
	t.Helper()
	own, other := pipe.New(pipe.Config{})
	g := &gate{own, make(chan struct{}, 1)}
	cfg := transport.Config{Sessions: new(transport.Sessions)}
	if change != nil {
		change(&cfg)
	}
	p := &peer{t: t, link: other, side: transport.Acceptor}
	s, err := transport.NewSession(g, transport.Acceptor, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Close(transport.CloseNormal, "")
		_ = s.Close(transport.CloseNormal, "")
	})
	go p.read()
	hello := generous
	hello.ResumeWindow, hello.ReplayLimit = 30_000, 1<<20
	p.send(hello.Append(nil))
	p.wants("HELLO")
	return s, p, g
}

// answerBehindGate has somebody answer the peer, alone, who waits at the gate. It is shut.
func answerBehindGate(t *testing.T) (s *transport.Session, p *peer, g *gate, answer <-chan error) {
	t.Helper()
	s, p, g = connectBehindGate(t, nil)
	p.send(open(1, ""), data(1, "ping"))
	st := mustAccept(t, s)
	g.shut <- struct{}{}
	answer = start(func() error { return st.Send(t.Context(), []byte("pong"), transport.SendOptions{}) })
	stillWaits(t, answer)
	return s, p, g, answer
}

func TestAnswerOnTheOnlyStreamIsWrittenInline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p, g, answer := answerBehindGate(t)
		<-g.shut
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		p.wants(`DATA 1 "pong"`)
	})
}

func TestWriterWritesWhatIsQueuedDuringAnInlineWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, g, answer := answerBehindGate(t)
		other := mustOpen(t, s)
		mustSend(t, other, "and more")
		<-g.shut
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		p.wants(`DATA 1 "pong"`, `OPEN 2 ""`, `DATA 2 "and more"`)
	})
}

// TestOtherStreamsDoNotWaitForAnInlineWrite has somebody send behind a shut gate who has to leave
// that to the writer, so that what Send promises holds.
func TestOtherStreamsDoNotWaitForAnInlineWrite(t *testing.T) {
	cases := map[string]struct {
		change func(*transport.Config)
		before func(*testing.T, *transport.Session, *peer, *transport.Stream)
	}{
		"who has sent since the last message came": {before: func(t *testing.T, _ *transport.Session, _ *peer, st *transport.Stream) {
			mustSend(t, st, "first")
		}},
		"who is not the only one": {before: func(_ *testing.T, s *transport.Session, p *peer, _ *transport.Stream) {
			mustOpen(t, s)
		}},
		"whose peer acknowledges nothing": {before: func(t *testing.T, _ *transport.Session, p *peer, st *transport.Stream) {
			mustSend(t, st, strings.Repeat("x", 64<<10))
			synctest.Wait()
			p.send(data(1, "go on"))
		}},
		"who keeps nothing for a next link": {change: func(cfg *transport.Config) { cfg.ResumeWindow = -1 }},
	}
	for who, c := range cases {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p, g := connectBehindGate(t, c.change)
				p.send(open(1, ""), data(1, "ping"))
				st := mustAccept(t, s)
				if c.before != nil {
					c.before(t, s, p, st)
				}
				synctest.Wait()
				g.shut <- struct{}{}
				mustSend(t, st, "does not wait")
				<-g.shut
			})
		})
	}
}

func TestLinkLostInAnInlineWriteIsReplacedLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, g, answer := answerBehindGate(t)
		_ = p.link.Close(transport.CloseAbnormal, "")
		synctest.Wait()
		<-g.shut
		if err := <-answer; err != nil {
			t.Errorf("Send, of what is kept for the next link: %v", err)
		}
		if !s.Detached() {
			t.Error("the session does not wait for another link")
		}
		advance(31 * time.Second)
		if s.Err() == nil {
			t.Error("it was not resumed, and it goes on")
		}
	})
}

func TestOpenSendSendsTheFirstMessageWithTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		for _, m := range []struct {
			size int
			opts transport.SendOptions
			sent bool
			want []string
		}{
			{1, transport.SendOptions{}, true, []string{`OPEN 1 "h"`, `DATA 1 "\x00"`}},
			{1, transport.SendOptions{End: true, Mark: true}, true, []string{`OPEN 3 "h"`, `DATA 3 +end +mark "\x00"`}},
			{16 << 10, transport.SendOptions{}, true, []string{`OPEN 5 "h"`, `DATA 5 16384 bytes`}},
			{16<<10 + 1, transport.SendOptions{}, false, []string{`OPEN 7 "h"`}},
		} {
			st, sent, err := s.OpenSend(t.Context(), []byte("h"), make([]byte, m.size), m.opts)
			if err != nil || sent != m.sent {
				t.Fatalf("%d bytes: sent %t, %v", m.size, sent, err)
			}
			p.wants(m.want...)
			if m.opts.End {
				if err := st.Send(t.Context(), nil, transport.SendOptions{}); !errors.Is(err, transport.ErrStreamClosed) {
					t.Errorf("Send after the end: %v", err)
				}
			}
		}
	})
}

func TestOpenSendSpendsCreditAndTakesPartInTheEndOfItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{}) // a window of 16 KiB
		st, sent, err := s.OpenSend(t.Context(), nil, make([]byte, 16<<10-100), transport.SendOptions{})
		if err != nil || !sent {
			t.Fatal(sent, err)
		}
		more := start(func() error { return st.Send(t.Context(), make([]byte, 100), transport.SendOptions{End: true}) })
		stillWaits(t, more)
		p.send(window(1, 32<<10), dataEnd(1, "done"))
		if err := <-more; err != nil {
			t.Fatal(err)
		}
		if got := mustRecv(t, st); got != "done" {
			t.Errorf("received %q", got)
		}
		whole, sent, err := s.OpenSend(t.Context(), nil, []byte("all"), transport.SendOptions{End: true})
		if err != nil || !sent {
			t.Fatal(sent, err)
		}
		p.send(dataEnd(3, "too"))
		synctest.Wait()
		st.Free()
		whole.Free()
		wantNothingLeft(t, s)
	})
}
