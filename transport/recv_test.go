package transport_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func TestMessageComesInTheMemoryOfTheBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), data(1, "first"), raw(frame.TypeData, frame.FlagMark, 1, "second"), data(1, strings.Repeat("x", 100)), data(1, ""))
		st := mustAccept(t, s)
		buf := make([]byte, 3, 50)
		m, err := st.Recv(t.Context(), buf)
		if err != nil || string(m.Bytes) != "first" || m.Mark || &m.Bytes[0] != &buf[0] {
			t.Errorf("got %q, marked %v, %v", m.Bytes, m.Mark, err)
		}
		m, err = st.Recv(t.Context(), nil)
		if err != nil || string(m.Bytes) != "second" || !m.Mark {
			t.Errorf("got %q, marked %v, %v", m.Bytes, m.Mark, err)
		}
		m, err = st.Recv(t.Context(), buf)
		if err != nil || len(m.Bytes) != 100 || m.Mark {
			t.Errorf("got %d bytes, marked %v, %v", len(m.Bytes), m.Mark, err)
		}
		m, err = st.Recv(t.Context(), buf)
		if err != nil || len(m.Bytes) != 0 {
			t.Errorf("got %q, %v", m.Bytes, err)
		}
	})
}

func TestRecvWhoseContextEndsInsideAMessageLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		var want []byte
		for i := range 20 {
			piece := strings.Repeat(string(rune('a'+i)), 5000)
			want = append(want, piece...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			buf := make([]byte, 0, 1<<20)
			received := start(func() error { _, err := st.Recv(ctx, buf); return err })
			if i%2 == 0 {
				synctest.Wait()
			}
			p.send(dataMore(1, piece))
			if err := <-received; !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			cancel()
			buf = buf[:cap(buf)]
			clear(buf) // it belongs to the caller again
		}
		p.send(data(1, "end"), data(1, "next"))
		if got := mustRecv(t, st); got != string(want)+"end" {
			t.Errorf("got %d bytes, want %d", len(got), len(want)+3)
		}
		if got := mustRecv(t, st); got != "next" {
			t.Errorf("got %q", got)
		}
	})
}

func TestRecvWithAContextThatHasEndedStillReturnsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), data(1, "there"))
		st := mustAccept(t, s)
		synctest.Wait()
		if m, err := st.Recv(ended(t), nil); err != nil || string(m.Bytes) != "there" {
			t.Errorf("got %q, %v", m.Bytes, err)
		}
		if _, err := st.Recv(ended(t), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestResetDropsWhatWasNotRead(t *testing.T) {
	for who, do := range map[string]func(*peer, *transport.Stream){
		"by the peer": func(p *peer, _ *transport.Stream) { p.send(reset(1, 300)) },
		"by this end": func(_ *peer, st *transport.Stream) { st.Reset(300, "") },
	} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
				p.send(open(1, ""), data(1, "unread"))
				st := mustAccept(t, s)
				synctest.Wait()
				do(p, st)
				synctest.Wait()
				want := transport.ResetError{Code: 300, Remote: who == "by the peer"}
				wantReset(t, recvErr(t, st), want)
				wantReset(t, st.Send(t.Context(), nil, transport.SendOptions{}), want)
				wantReset(t, st.CloseSend(t.Context(), nil), want)
				_, err := st.RecvHeader(t.Context())
				wantReset(t, err, want)
			})
		})
	}
}

func TestResetEndsRecvThatWaitsInsideAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), dataMore(1, "half of"))
		st := mustAccept(t, s)
		received := start(func() error { _, err := st.Recv(t.Context(), nil); return err })
		stillWaits(t, received)
		p.send(reset(1, 1))
		wantReset(t, <-received, transport.ResetError{Code: transport.ResetCancel, Remote: true})
	})
}

func TestCloseEndsWhatWaitsOnTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		st := mustOpen(t, s)
		waiting := map[string]<-chan error{
			"Recv":       start(func() error { _, err := st.Recv(t.Context(), nil); return err }),
			"RecvHeader": start(func() error { _, err := st.RecvHeader(t.Context()); return err }),
			"Send":       start(func() error { return st.Send(t.Context(), make([]byte, 50_000), transport.SendOptions{}) }),
		}
		synctest.Wait()
		p.got()
		st.Close()
		st.Close()
		for what, w := range waiting {
			if err := <-w; !errors.Is(err, transport.ErrStreamClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := recvErr(t, st); !errors.Is(err, transport.ErrStreamClosed) {
			t.Errorf("Recv: %v", err)
		}
		p.wants("RESET 1 cancel")
	})
}

func TestHeaderOfTheAcceptingEnd(t *testing.T) {
	for what, c := range map[string]struct {
		send [][]byte
		want []byte
	}{
		"comes":              {[][]byte{header(1, "head"), data(1, "x")}, []byte("head")},
		"is empty":           {[][]byte{header(1, "")}, []byte{}},
		"is left out":        {[][]byte{data(1, "x")}, nil},
		"gives way to END":   {[][]byte{end(1, "trailer")}, nil},
		"gives way to empty": {[][]byte{dataEnd(1, "")}, nil},
	} {
		for _, when := range []string{"before", "after"} {
			t.Run(what+" "+when+" it is asked for", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
					st := mustOpen(t, s)
					if when == "before" {
						p.send(c.send...)
						synctest.Wait()
					}
					var got []byte
					asked := start(func() (err error) { got, err = st.RecvHeader(t.Context()); return err })
					if when == "after" {
						stillWaits(t, asked)
						p.send(c.send...)
					}
					if err := <-asked; err != nil || !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
						t.Errorf("got %q, %v", got, err)
					}
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s, _ := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		if _, err := mustOpen(t, s).RecvHeader(ended(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStreamKnowsItsIdItsSessionAndItsHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		for i, head := range []string{"", "one", "two"} {
			for _, ends := range []struct {
				from, to *transport.Session
				id       uint64
			}{{d, a, uint64(2*i + 1)}, {a, d, uint64(2*i + 2)}} {
				out, err := ends.from.Open(t.Context(), []byte(head))
				if err != nil {
					t.Fatal(err)
				}
				in := mustAccept(t, ends.to)
				if out.ID() != ends.id || in.ID() != ends.id {
					t.Errorf("ids %d and %d, want %d", out.ID(), in.ID(), ends.id)
				}
				if out.Session() != ends.from || in.Session() != ends.to || string(in.OpenHeader()) != head {
					t.Errorf("wrong session, or header %q", in.OpenHeader())
				}
				out.Close()
			}
		}
	})
}

func TestAcceptReturnsEachStreamOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		ids := make(chan uint64, 300)
		for range 5 {
			go func() {
				for {
					st, err := s.Accept(t.Context())
					if err != nil {
						return
					}
					ids <- st.ID()
				}
			}()
		}
		synctest.Wait()
		var all [][]byte
		for i := range uint64(300) {
			all = append(all, open(2*i+1, ""))
		}
		p.send(all...)
		synctest.Wait()
		if len(ids) != 300 {
			t.Fatalf("%d streams were accepted", len(ids))
		}
		seen := make(map[uint64]bool)
		for range 300 {
			seen[<-ids] = true
		}
		if len(seen) != 300 {
			t.Errorf("%d of 300 streams were accepted", len(seen))
		}
		s.Close(transport.CloseNormal, "")
	})
}

func TestStreamsThatComeTogetherWakeAllAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		var accepted []<-chan error
		for range 50 {
			accepted = append(accepted, start(func() error { _, err := s.Accept(t.Context()); return err }))
		}
		synctest.Wait()
		var all [][]byte
		for i := range uint64(50) {
			all = append(all, open(2*i+1, ""))
		}
		p.send(all...)
		synctest.Wait()
		for i, done := range accepted {
			if len(done) == 0 {
				t.Fatalf("the %dth Accept still waits", i+1)
			}
		}
	})
}

func TestStreamsOpenAtTheSameTimeOnBothEndsDoNotClash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{}, transport.Config{})
		for _, s := range []*transport.Session{d, a} {
			for range 100 {
				mustSend(t, mustOpen(t, s), "mine")
			}
		}
		for _, s := range []*transport.Session{a, d} {
			for range 100 {
				if got := mustRecv(t, mustAccept(t, s)); got != "mine" {
					t.Errorf("got %q", got)
				}
			}
		}
	})
}

func TestMessageSaysThatItIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		recv := func(st *transport.Stream) (string, bool) {
			t.Helper()
			m, err := st.Recv(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return string(m.Bytes), m.Last
		}
		p.send(open(1, ""), data(1, "one"), dataEnd(1, "two"))
		st := mustAccept(t, s)
		for _, want := range []struct {
			msg  string
			last bool
		}{{"one", false}, {"two", true}} {
			if msg, last := recv(st); msg != want.msg || last != want.last {
				t.Errorf("got %q, last: %v", msg, last)
			}
		}
		p.send(open(3, ""))
		st = mustAccept(t, s)
		go func() { // the awaited message
			synctest.Wait()
			p.send(dataEnd(3, "only"))
		}()
		if msg, last := recv(st); msg != "only" || !last {
			t.Errorf("got %q, last: %v", msg, last)
		}
		p.send(open(5, ""), data(5, "then an END"))
		st = mustAccept(t, s)
		if msg, last := recv(st); msg != "then an END" || last {
			t.Errorf("got %q, last: %v", msg, last)
		}
	})
}
