package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

func TestMarkAndEndTravelWithTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		st, other := mustOpen(t, s), mustOpen(t, s)
		p.got()
		for _, m := range []struct {
			st   *transport.Stream
			size int
			opts transport.SendOptions
		}{
			{st, 0, transport.SendOptions{}},
			{st, 1, transport.SendOptions{Mark: true}},
			{st, 20_000, transport.SendOptions{Mark: true}},
			{st, 20_000, transport.SendOptions{End: true}},
		} {
			if err := m.st.Send(t.Context(), make([]byte, m.size), m.opts); err != nil {
				t.Fatal(err)
			}
		}
		p.wants(`DATA 1 ""`, `DATA 1 +mark "\x00"`, "DATA 1 +more +mark 16384 bytes", "DATA 1 +mark 3616 bytes",
			"DATA 1 +more 16384 bytes", "DATA 1 +end 3616 bytes")
		if err := other.Send(t.Context(), nil, transport.SendOptions{Mark: true, End: true}); err != nil {
			t.Fatal(err)
		}
		p.wants(`DATA 3 +end +mark ""`)
		for _, st := range []*transport.Stream{st, other} {
			if err := st.Send(t.Context(), nil, transport.SendOptions{}); !errors.Is(err, transport.ErrStreamClosed) {
				t.Errorf("Send after the end: %v", err)
			}
			if err := st.CloseSend(t.Context(), nil); !errors.Is(err, transport.ErrStreamClosed) {
				t.Errorf("CloseSend after the end: %v", err)
			}
		}
	})
}

func TestPiecesAreAsLargeAsThePeersFramesAndSoThatTwoFillABuffer(t *testing.T) {
	for frameSize, want := range map[uint64][]string{
		20_000:  {"OPEN 1 \"\"", "DATA 1 +more 20000 bytes", "DATA 1 +more 20000 bytes", "DATA 1 10000 bytes"},
		1 << 20: {"OPEN 1 \"\"", "DATA 1 +more 32704 bytes", "DATA 1 17296 bytes"},
	} {
		synctest.Test(t, func(t *testing.T) {
			hello := generous
			hello.MaxFrame = frameSize
			s, p := connectSession(t, transport.Dialer, transport.Config{}, hello)
			mustSend(t, mustOpen(t, s), string(make([]byte, 50_000)))
			p.wants(want...)
		})
	}
}

func TestConcurrentSendsAndReceivesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		st := mustOpen(t, s)
		sent := start(func() error { return st.Send(t.Context(), make([]byte, 40_000), transport.SendOptions{}) })
		received := start(func() error { _, err := st.Recv(t.Context(), nil); return err })
		stillWaits(t, sent)
		stillWaits(t, received)
		if err := st.Send(t.Context(), nil, transport.SendOptions{}); !errors.Is(err, transport.ErrConcurrent) {
			t.Errorf("Send: %v", err)
		}
		if err := st.CloseSend(t.Context(), nil); !errors.Is(err, transport.ErrConcurrent) {
			t.Errorf("CloseSend: %v", err)
		}
		if err := recvErr(t, st); !errors.Is(err, transport.ErrConcurrent) {
			t.Errorf("Recv: %v", err)
		}
		p.send(window(1, 1<<20), data(1, "x")) // other streams are not affected
		if err := errors.Join(<-sent, <-received); err != nil {
			t.Error(err)
		}
		mustSend(t, st, "y")
	})
}

func TestSendThatGivesUpInsideAMessageLeavesOnlyReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		st := mustOpen(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := st.Send(ctx, make([]byte, 40_000), transport.SendOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		p.send(window(1, 1<<20))
		synctest.Wait()
		if err := st.Send(t.Context(), nil, transport.SendOptions{}); !errors.Is(err, transport.ErrPartialMessage) {
			t.Errorf("Send: %v", err)
		}
		if err := st.CloseSend(t.Context(), nil); !errors.Is(err, transport.ErrPartialMessage) {
			t.Errorf("CloseSend: %v", err)
		}
		p.send(data(1, "the other direction goes on"))
		mustRecv(t, st)
		p.got()
		st.Close()
		p.wants("RESET 1 cancel")
	})
}

func TestSendThatGivesUpBeforeAMessageCostsNoCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 100}}, frame.Hello{})
		p.link.Stall()
		st := mustOpen(t, s)
		synctest.Wait()
		filler := mustOpen(t, s)
		synctest.Wait()
		mustSend(t, filler, string(make([]byte, 100)))
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if err := st.Send(ctx, []byte(half), transport.SendOptions{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			cancel()
		}
		p.link.Resume()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 { // the whole window
			if err := st.Send(ctx, []byte(half), transport.SendOptions{}); err != nil {
				t.Fatalf("the credit is gone: %v", err)
			}
		}
	})
}

func TestHeaderGoesBeforeMessagesAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), open(3, ""), open(5, ""), open(7, ""))
		first, second, third, fourth := mustAccept(t, s), mustAccept(t, s), mustAccept(t, s), mustAccept(t, s)
		closed := func(st *transport.Stream) {
			t.Helper()
			if err := st.SendHeader(t.Context(), nil); !errors.Is(err, transport.ErrStreamClosed) {
				t.Errorf("SendHeader: %v", err)
			}
		}
		if err := first.SendHeader(t.Context(), []byte("head")); err != nil {
			t.Fatal(err)
		}
		closed(first)
		mustSend(t, first, "x")
		closed(first)
		mustSend(t, second, "y")
		closed(second)
		mustCloseSend(t, third, "")
		closed(third)
		p.send(reset(7, 300))
		synctest.Wait()
		wantReset(t, fourth.SendHeader(t.Context(), nil), transport.ResetError{Code: 300, Remote: true})
		closed(mustOpen(t, s)) // an opener has no header except that of Open
		p.wants(`HEADER 1 "head"`, `DATA 1 "x"`, `DATA 3 "y"`, `END 5 ""`, `OPEN 2 ""`)
	})
}

// full starts a session whose peer has opened stream 2 and whose queue is full.
// Nothing fits until the peer's link resumes.
func full(t *testing.T) (*peer, *transport.Stream) {
	t.Helper()
	s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}, generous)
	p.send(open(2, ""))
	st := mustAccept(t, s)
	p.link.Stall()
	filler := mustOpen(t, s)
	for range 2 {
		synctest.Wait()
		mustSend(t, filler, "in the way")
	}
	return p, st
}

func TestHeaderCanBeSentAfterASendThatSentNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, st := full(t)
		sends := []func(context.Context) error{
			func(ctx context.Context) error { return st.Send(ctx, []byte("x"), transport.SendOptions{}) },
			func(ctx context.Context) error { return st.SendHeader(ctx, []byte("y")) },
		}
		for _, send := range sends {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := send(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			cancel()
		}
		p.link.Resume()
		p.got()
		if err := st.SendHeader(t.Context(), []byte("head")); err != nil {
			t.Error(err)
		}
		mustSend(t, st, "message")
		p.wants(`HEADER 2 "head"`, `DATA 2 "message"`)
	})
}

func TestHalfCloseInBothOrders(t *testing.T) {
	for _, first := range []string{"opener", "acceptor"} {
		t.Run(first+" first", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, a := pair(t, transport.Config{}, transport.Config{})
				one, other := mustOpen(t, d), mustAccept(t, a)
				if first == "acceptor" {
					one, other = other, one
				}
				mustSend(t, one, "a")
				mustCloseSend(t, one, "bye")
				if got := mustRecv(t, other); got != "a" {
					t.Errorf("got %q", got)
				}
				wantEnd(t, other)
				if trailer, ended := other.Trailer(); string(trailer) != "bye" || !ended {
					t.Errorf("trailer %q, ended %v", trailer, ended)
				}
				if _, ended := one.Trailer(); ended {
					t.Error("the other direction has ended")
				}
				if err := one.Send(t.Context(), nil, transport.SendOptions{}); !errors.Is(err, transport.ErrStreamClosed) {
					t.Errorf("Send after CloseSend: %v", err)
				}
				for _, msg := range []string{"b", "c"} {
					mustSend(t, other, msg)
					if got := mustRecv(t, one); got != msg {
						t.Errorf("got %q", got)
					}
				}
				if err := other.Send(t.Context(), []byte("d"), transport.SendOptions{End: true}); err != nil {
					t.Fatal(err)
				}
				if got := mustRecv(t, one); got != "d" {
					t.Errorf("got %q", got)
				}
				wantEnd(t, one)
				wantEnd(t, one)
				one.Reset(300, "too late: it has ended")
				wantEnd(t, other)
			})
		})
	}
}

func TestStreamOpenedWithItsEndHasNoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(openEnd(1))
		st := mustAccept(t, s)
		wantEnd(t, st)
		mustCloseSend(t, st, "done")
		p.wants(`END 1 "done"`)
		st.Close()
		p.wants()
	})
}

func TestEndOfAStreamOfThePeerThatFindsNoRoomGivesItUp(t *testing.T) {
	ends := map[string]func(context.Context, *transport.Stream) error{
		"CloseSend": func(ctx context.Context, st *transport.Stream) error { return st.CloseSend(ctx, nil) },
		"Send with End": func(ctx context.Context, st *transport.Stream) error {
			return st.Send(ctx, nil, transport.SendOptions{End: true})
		},
	}
	for how, finish := range ends {
		for what, before := range map[string][]byte{"open": {}, "ended by the peer": end(2, "")} {
			t.Run(how+" of a stream "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, st := full(t)
					if len(before) > 0 {
						p.send(before)
						wantEnd(t, st)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					if err := finish(ctx, st); !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("got %v", err)
					}
					p.link.Resume()
					p.wants(`OPEN 1 ""`, `DATA 1 "in the way"`, "RESET 2 cancel", `DATA 1 "in the way"`)
					if len(before) == 0 {
						wantReset(t, recvErr(t, st), transport.ResetError{Code: transport.ResetCancel})
					}
					p.wantsLife()
					st.Close()
					p.wants()
				})
			})
		}
	}
}

func TestEndOfALocalStreamThatFindsNoRoomCanBeRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}, frame.Hello{})
		st := mustOpen(t, s)
		synctest.Wait()
		p.link.Stall()
		for range 3 {
			mustSend(t, st, "in the way")
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := st.CloseSend(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		p.link.Resume()
		p.got()
		mustCloseSend(t, st, "")
		p.wants(`END 1 ""`)
	})
}
