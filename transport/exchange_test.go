package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// openExchange opens an exchange whose frames have gone to the peer.
func openExchange(t *testing.T, s *transport.Session, p *peer, id uint64) *transport.Exchange {
	t.Helper()
	x, st, sent, err := s.OpenExchange(t.Context(), []byte("h"), []byte("ask"), transport.ExchangeOptions{})
	if x == nil || st != nil || !sent || err != nil {
		t.Fatalf("%v, %v, %v, %v", x, st, sent, err)
	}
	p.wants(fmt.Sprintf("OPEN %d %q", id, "h"), fmt.Sprintf("DATA %d +end %q", id, "ask"))
	return x
}

func TestExchangesAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		for id := uint64(1); id < 200; id += 2 {
			x := openExchange(t, s, p, id)
			text := fmt.Sprint("answer ", id)
			p.send(raw(frame.TypeData, frame.FlagEnd|frame.FlagMark, id, text))
			m, ok := x.Recv(t.Context(), time.Time{})
			if !ok || string(m.Bytes) != text || !m.Mark || !m.Last || m.HasHeader {
				t.Fatalf("%+v, %v", m, ok)
			}
			x.Free()
		}
		wantNothingLeft(t, s)
	})
}

func TestAfterItsAnswerAnExchangeIsAStreamThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		x := openExchange(t, s, p, 1)
		p.send(dataEnd(1, "answer"))
		if _, ok := x.Recv(t.Context(), time.Time{}); !ok {
			t.Fatal("no answer")
		}
		x.Release()
		answerAnother(t, s, p, 3) // with the memory of the first one
		if _, ok := x.Recv(t.Context(), time.Time{}); ok {
			t.Error("two answers")
		}
		st := x.Stream()
		if _, err := st.Recv(t.Context(), nil); !errors.Is(err, io.EOF) {
			t.Errorf("Recv: %v", err)
		}
		if trailer, ended := st.Trailer(); trailer != nil || !ended {
			t.Errorf("trailer %q, %v", trailer, ended)
		}
		if h, err := st.RecvHeader(t.Context()); h != nil || err != nil {
			t.Errorf("header %q, %v", h, err)
		}
		if err := st.Send(t.Context(), nil, transport.SendOptions{}); !errors.Is(err, transport.ErrStreamClosed) {
			t.Errorf("Send: %v", err)
		}
		x.Close()
		st.Close()
		p.wantsLife()
	})
}

func TestAnythingButTheAnswerMakesAStream(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   string // from the stream
	}{
		{"a header", [][]byte{header(1, "head"), dataEnd(1, "a")}, `"a" "head" EOF`},
		{"a trailer", [][]byte{data(1, "a"), end(1, "tail")}, `"a" "" EOF tail`},
		{"a trailer alone", [][]byte{end(1, "tail")}, `EOF tail`},
		{"two pieces", [][]byte{dataMore(1, "a"), dataEnd(1, "b")}, `"ab" "" EOF`},
		{"two messages", [][]byte{data(1, "a"), dataEnd(1, "b")}, `"a" "" "b" "" EOF`},
		{"a long message", [][]byte{dataEnd(1, long)}, fmt.Sprintf("%q %q EOF", long, "")},
		{"more credit", [][]byte{window(1, 1<<20), dataEnd(1, "a")}, `"a" "" EOF`},
		{"a reset", [][]byte{reset(1, 1)}, "reset by the peer"},
		{"a GOAWAY", [][]byte{goAway(0)}, "reset by the peer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
				x := openExchange(t, s, p, 1)
				p.send(c.frames...)
				if m, ok := x.Recv(t.Context(), time.Time{}); ok {
					t.Fatalf("the answer is %q", m.Bytes)
				}
				if got := readAll(t, x.Stream()); !strings.HasPrefix(got, c.want) {
					t.Errorf("got %s, want %s", got, c.want)
				}
				x.Close()
				wantNothingLeft(t, s)
			})
		})
	}
}

// readAll returns what a stream receives, in words.
func readAll(t *testing.T, st *transport.Stream) string {
	var words []string
	for {
		m, err := st.Recv(t.Context(), nil)
		var reset *transport.ResetError
		switch {
		case errors.As(err, &reset) && reset.Remote:
			return strings.Join(append(words, "reset by the peer"), " ")
		case errors.Is(err, io.EOF):
			trailer, _ := st.Trailer()
			return strings.TrimSpace(strings.Join(append(words, "EOF", string(trailer)), " "))
		case err != nil:
			return strings.Join(append(words, err.Error()), " ")
		}
		h, _ := st.RecvHeader(t.Context())
		words = append(words, fmt.Sprintf("%q %q", m.Bytes, h))
	}
}

// answerAnother makes an exchange that is answered within its deadline.
func answerAnother(t *testing.T, s *transport.Session, p *peer, id uint64) {
	t.Helper()
	x := openExchange(t, s, p, id)
	time.AfterFunc(time.Second, func() { p.send(dataEnd(id, "another")) })
	m, ok := x.Recv(t.Context(), time.Now().Add(2*time.Second))
	if !ok || string(m.Bytes) != "another" {
		t.Errorf("exchange %d: %q, %v", id, m.Bytes, ok)
	}
	x.Release()
}

func TestTheContextOfAnExchangeMakesAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantStream(ctx, t, s, p, 1, time.Time{})
	})
}

func TestTheDeadlineOfAnExchangeMakesAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		for id := uint64(1); id < 9; id += 4 {
			begun := time.Now()
			wantStream(t.Context(), t, s, p, id, begun.Add(time.Second))
			if took := time.Since(begun); took != time.Second {
				t.Errorf("stream %d: after %v", id, took)
			}
			answerAnother(t, s, p, id+2)
		}
	})
}

// wantStream makes an exchange that has no answer in time.
func wantStream(ctx context.Context, t *testing.T, s *transport.Session, p *peer, id uint64, deadline time.Time) {
	t.Helper()
	x := openExchange(t, s, p, id)
	if _, ok := x.Recv(ctx, deadline); ok {
		t.Fatal("there is an answer")
	}
	x.Free()
	p.wants(fmt.Sprintf("RESET %d cancel", id))
	p.send(dataEnd(id, "too late"))
	p.wantsLife()
}

func TestTheEndOfTheSessionEndsExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		x := openExchange(t, s, p, 1)
		ended := start(func() error {
			_, ok := x.Recv(t.Context(), time.Time{})
			_, err := x.Stream().Recv(t.Context(), nil)
			return errors.Join(err, map[bool]error{true: errors.New("there is an answer")}[ok])
		})
		stillWaits(t, ended)
		p.link.Close(4001, "for a test")
		wantCode(t, <-ended, 4001)
		if x.Stream().Unprocessed() {
			t.Error("it was sent")
		}
	})
}

// TestAnExchangeThatLastsMakesWayForOthers has one that the peer answers last.
func TestAnExchangeThatLastsMakesWayForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		first := openExchange(t, s, p, 1)
		for id := uint64(3); id < 300; id += 2 {
			x := openExchange(t, s, p, id)
			p.send(dataEnd(id, "answer"))
			if _, ok := x.Recv(t.Context(), time.Time{}); !ok {
				t.Fatalf("exchange %d is a stream", id)
			}
			x.Free()
		}
		p.send(dataEnd(1, "last"))
		if _, ok := first.Recv(t.Context(), time.Time{}); ok {
			t.Error("the first has kept its place")
		}
		if got := readAll(t, first.Stream()); got != `"last" "" EOF` {
			t.Error(got)
		}
		first.Free()
		wantNothingLeft(t, s)
	})
}

func TestLargeMessagesAreNoExchanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		x, st, sent, err := s.OpenExchange(t.Context(), nil, make([]byte, 5000), transport.ExchangeOptions{})
		if x != nil || st == nil || !sent || err != nil {
			t.Fatalf("%v, %v, %v, %v", x, st, sent, err)
		}
		p.wants(`OPEN 1 ""`, "DATA 1 +end 5000 bytes")
		st.Close()
	})
}
