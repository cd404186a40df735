package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// maxUnread is how long a frame may be unread that nothing waits for.
const maxUnread = time.Millisecond

// lendReading makes calls one after the other until a session lends reading. It
// returns the id of the next stream.
func lendReading(t *testing.T, s *transport.Session, p *peer) (next uint64) {
	t.Helper()
	for next = 1; next < 100; next += 2 {
		if lent, _ := s.LendsReading(); lent {
			return next
		}
		answerAnother(t, s, p, next)
	}
	t.Fatal("reading is not lent")
	return 0
}

// readAsWaiter returns what Recv of an exchange returns, once that waits for the
// link itself.
func readAsWaiter(ctx context.Context, t *testing.T, s *transport.Session, x *transport.Exchange, deadline time.Time) <-chan error {
	t.Helper()
	done := start(func() error {
		m, ok := x.Recv(ctx, deadline)
		if !ok {
			return errNoAnswer
		}
		if string(m.Bytes) != "answer" {
			return fmt.Errorf("received %q", m.Bytes)
		}
		x.Free()
		return nil
	})
	synctest.Wait()
	if _, reads := s.LendsReading(); !reads {
		t.Fatal("the goroutine that waits does not read")
	}
	return done
}

var errNoAnswer = errors.New("no answer")

// onLease runs a test with a session that has lent reading, and the exchange of
// a call that waits for its answer.
func onLease(t *testing.T, cfg transport.Config, test func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, cfg, generous)
		id := lendReading(t, s, p)
		test(t, s, p, openExchange(t, s, p, id), id)
	})
}

// returnsAtOnce checks that no virtual time passes until done has a value.
func returnsAtOnce(t *testing.T, done <-chan error, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		if !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	default:
		t.Fatal("still waits")
	}
}

func TestTheOnlyWaiterReadsTheLink(t *testing.T) {
	onLease(t, transport.Config{}, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64) {
		done := readAsWaiter(t.Context(), t, s, x, time.Time{})
		advance(5 * time.Second)
		p.send(ping("12345678"), dataEnd(id, "answer"))
		returnsAtOnce(t, done, nil)
		if lent, reads := s.LendsReading(); !lent || reads {
			t.Errorf("after the answer: lent %v, read %v", lent, reads)
		}
		advance(maxUnread)
		if lent, _ := s.LendsReading(); lent {
			t.Error("nothing borrows the lease, and it is not over")
		}
		p.got()
		p.wantsLife()
	})
}

func TestALeaseThatIsFreeDelaysFramesLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		lendReading(t, s, p)
		p.send(ping("12345678"))
		p.wants()
		advance(maxUnread)
		p.wants(`PONG "12345678"`)
	})
}

func TestAWaiterThatReadsServesThePeer(t *testing.T) {
	var opened int
	cfg := transport.Config{OnStream: func(*transport.Stream, []byte) *transport.ResetError { opened++; return nil }}
	onLease(t, cfg, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64) {
		done := readAsWaiter(t.Context(), t, s, x, time.Time{})
		p.send(ping("12345678"))
		p.wants(`PONG "12345678"`)
		p.send(open(2, "h"))
		if synctest.Wait(); opened != 1 {
			t.Errorf("%d streams of the peer", opened)
		}
		p.send(dataEnd(id, "answer"))
		returnsAtOnce(t, done, nil)
	})
}

func TestASecondWaiterEndsTheLease(t *testing.T) {
	onLease(t, transport.Config{}, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64) {
		first := readAsWaiter(t.Context(), t, s, x, time.Time{})
		y := openExchange(t, s, p, id+2)
		second := start(func() error {
			_, ok := y.Recv(t.Context(), time.Time{})
			y.Free()
			if !ok {
				return errNoAnswer
			}
			return nil
		})
		stillWaits(t, second)
		p.send(dataEnd(id, "answer"))
		returnsAtOnce(t, first, nil)
		p.send(dataEnd(id+2, "answer"))
		returnsAtOnce(t, second, nil)
		wantNothingLeft(t, s)
	})
}

func TestAWaiterThatReadsEndsWithItsContext(t *testing.T) {
	onLease(t, transport.Config{}, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64) {
		ctx, cancel := context.WithCancel(t.Context())
		done := readAsWaiter(ctx, t, s, x, time.Time{})
		cancel()
		returnsAtOnce(t, done, errNoAnswer)
		x.Free()
		p.got()
		p.wantsLife()
	})
}

func TestAWaiterThatReadsEndsAtItsDeadline(t *testing.T) {
	onLease(t, transport.Config{}, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64) {
		done := readAsWaiter(t.Context(), t, s, x, time.Now().Add(time.Second))
		advance(time.Second - 1)
		stillWaits(t, done)
		advance(1)
		returnsAtOnce(t, done, errNoAnswer)
		x.Free()
		p.got()
		p.wantsLife()
	})
}

func TestAWaiterThatReadsEndsWhenItsStreamIsClosed(t *testing.T) {
	onLease(t, transport.Config{}, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, id uint64) {
		done := readAsWaiter(t.Context(), t, s, x, time.Time{})
		x.Close()
		returnsAtOnce(t, done, errNoAnswer)
		p.got()
		p.wantsLife()
	})
}

func TestAWaiterThatReadsEndsWithTheSession(t *testing.T) {
	for name, end := range map[string]func(s *transport.Session, p *peer){
		"Close":         func(s *transport.Session, _ *peer) { _ = s.Close(transport.CloseNormal, "") },
		"the peer":      func(_ *transport.Session, p *peer) { _ = p.link.Close(transport.CloseNormal, "") },
		"a lost link":   func(_ *transport.Session, p *peer) { p.link.Cut() },
		"a broken rule": func(_ *transport.Session, p *peer) { p.send(data(98, "x")) },
	} {
		t.Run(name, func(t *testing.T) {
			onLease(t, transport.Config{}, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, _ uint64) {
				done := readAsWaiter(t.Context(), t, s, x, time.Time{})
				end(s, p)
				returnsAtOnce(t, done, errNoAnswer)
				if s.Err() == nil {
					t.Error("the session lives")
				}
				x.Free()
			})
		})
	}
}

func TestASessionWhoseLeaseIsFreeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		lendReading(t, s, p)
		before := time.Now()
		_ = s.Close(transport.CloseNormal, "")
		if took := time.Since(before); took > maxUnread {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestAStreamOfOneWaiterOutlivesTheLink(t *testing.T) {
	for _, side := range sides {
		synctest.Test(t, func(t *testing.T) {
			s, p, st := resumable(t, side)
			done := pingPong(t, s, p, st)
			p.link.Cut()
			synctest.Wait()
			if !s.Detached() {
				t.Error("the session is not detached")
			}
			stillWaits(t, done)
			st.Close()
			returnsAtOnce(t, done, transport.ErrStreamClosed)
		})
	}
}

// pingPong makes messages alternate on a stream until a Recv reads the link
// itself, and returns what that Recv returns.
func pingPong(t *testing.T, s *transport.Session, p *peer, st *transport.Stream) <-chan error {
	t.Helper()
	for range 100 {
		if err := st.Send(t.Context(), []byte("ping"), transport.SendOptions{}); err != nil {
			t.Fatal(err)
		}
		done := start(func() error {
			_, err := st.Recv(t.Context(), nil)
			return err
		})
		synctest.Wait()
		p.got()
		if _, reads := s.LendsReading(); reads {
			return done
		}
		p.send(data(st.ID(), "pong"))
		returnsAtOnce(t, done, nil)
	}
	t.Fatal("reading is not lent")
	return nil
}

func TestAPanicOfAWaiterThatReadsEndsTheSession(t *testing.T) {
	cfg := transport.Config{OnStream: func(*transport.Stream, []byte) *transport.ResetError { panic("of the application") }}
	onLease(t, cfg, func(t *testing.T, s *transport.Session, p *peer, x *transport.Exchange, _ uint64) {
		done := start(func() error {
			defer func() { _ = recover() }()
			x.Recv(t.Context(), time.Time{})
			return io.EOF // not reached
		})
		synctest.Wait()
		p.send(open(2, "h"))
		returnsAtOnce(t, done, nil)
		p.wantsClose(transport.CloseInternalError)
	})
}

func TestMessagesThatDoNotAlternateAreReadByTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		st := mustOpen(t, s)
		for range 100 {
			p.send(data(st.ID(), "x"))
			if _, err := st.Recv(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if lent, _ := s.LendsReading(); lent {
				t.Fatal("reading is lent")
			}
		}
	})
}

// A wrapped link can be read by a waiter only if the wrapper has Unwrap.
func TestReadingIsLentOnWrappedLinksThatCanBeUnwrapped(t *testing.T) {
	for _, c := range []struct {
		wrap func(*pipe.End) transport.Link
		lent bool
	}{
		{func(l *pipe.End) transport.Link { return struct{ transport.Link }{l} }, false},
		{func(l *pipe.End) transport.Link { return &unwrappable{l} }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			own, other := pipe.New(pipe.Config{})
			p := &peer{t: t, link: other, side: transport.Dialer}
			s, err := transport.NewSession(c.wrap(own), transport.Dialer, transport.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close(transport.CloseNormal, "") })
			go p.read()
			p.send(generous.Append(nil))
			p.got()
			for id := uint64(1); id < 50; id += 2 {
				answerAnother(t, s, p, id)
			}
			if lent, _ := s.LendsReading(); lent != c.lent {
				t.Errorf("lent %v", lent)
			}
		})
	}
}

type unwrappable struct{ transport.Link }

func (l *unwrappable) Unwrap() transport.Link { return l.Link }

// With few streams, reading is lent and given back all the time.
func TestStreamsBehaveLikeTheirModelWhileWaitersRead(t *testing.T) {
	defer transport.LendEagerly()()
	for _, seed := range []uint64{1, 2, rand.Uint64()} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				w.streams = 1
				w.run()
			})
		})
	}
}

func TestDrainsAndLostLinksCostNoStreamWhileWaitersRead(t *testing.T) {
	defer transport.LendEagerly()()
	runFleets(t, 3, 1)
}
