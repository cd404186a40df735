package transport_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

func TestMessagesOfManyStreamsInOneTurnArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, generous)
		frames := [][]byte{open(1, ""), open(3, ""), open(5, "")}
		for i := range 60 {
			for id := uint64(1); id <= 5; id += 2 {
				for part := range int(id) { // in runs of 1, 3 and 5
					frames = append(frames, data(id, fmt.Sprintf("%d.%d", i, part)))
				}
			}
			if i%7 == 0 {
				frames = append(frames, ping("between "))
			}
		}
		p.send(frames...)
		for id := 1; id <= 5; id += 2 {
			st := mustAccept(t, s)
			for i := range 60 {
				for part := range id {
					if got, want := mustRecv(t, st), fmt.Sprintf("%d.%d", i, part); got != want {
						t.Fatalf("stream %d: message %q, want %q", st.ID(), got, want)
					}
				}
			}
		}
	})
}

// TestEndOfAStreamMakesPlaceForTheNextInTheSameTurn has as many streams as the
// limit allows. The next one is opened right behind the end of one of them.
func TestEndOfAStreamMakesPlaceForTheNextInTheSameTurn(t *testing.T) {
	for _, next := range [][]byte{ask(101), append(open(101, "h"), data(101, "more follows")...), open(101, "h")} {
		synctest.Test(t, func(t *testing.T) {
			var r requests
			cfg := r.config(smallest)
			first := make(chan *transport.Stream, 1)
			cfg.OnStream = func(st *transport.Stream, _ []byte) *transport.ResetError {
				select {
				case first <- st:
				default:
				}
				return nil
			}
			_, p := connectSession(t, transport.Acceptor, cfg, generous)
			for i := range smallest.MaxStreams {
				p.send(open(uint64(2*i+1), ""))
			}
			synctest.Wait()
			if err := (<-first).CloseSend(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			p.wants(`END 1 ""`)
			p.send(data(1, "x"), dataEnd(1, "last"), next)
			for _, f := range p.got() {
				if strings.Contains(f, "refused") {
					t.Errorf("the next stream is refused: %s", f)
				}
			}
		})
	}
}

// TestNothingAfterAnEndReachesAnotherStream ends a stream whose memory the next
// one uses, and sends on with its id, in one turn.
func TestNothingAfterAnEndReachesAnotherStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{MaxStreams: 16, InitialWindow: 64 << 10})
		for id := uint64(1); id < 40; id += 2 {
			st, err := s.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := st.CloseSend(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			p.got()
			p.send(data(id, "own"), dataEnd(id, "last"), data(id, "late"), dataEnd(id, "late"))
			for _, want := range []string{"own", "last"} {
				if got := mustRecv(t, st); got != want {
					t.Errorf("stream %d: %q, want %q", id, got, want)
				}
			}
			st.Free()
			synctest.Wait()
		}
		wantNothingLeft(t, s)
	})
}
