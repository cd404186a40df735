package transport_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// askLater makes an exchange on another goroutine.
func askLater(ctx context.Context, s *transport.Session, msg string) <-chan error {
	return start(func() error {
		x, st, _, err := s.OpenExchange(ctx, []byte("h"), []byte(msg), transport.ExchangeOptions{AwaitAnswer: true})
		switch {
		case err != nil:
			return err
		case st != nil:
			return errors.New("it is a stream")
		}
		m, ok := x.Recv(ctx, time.Time{})
		if !ok {
			_, err := x.Stream().Recv(context.Background(), nil)
			x.Close()
			return err
		}
		if want := "answer to " + msg; string(m.Bytes) != want {
			return fmt.Errorf("got %q, want %q", m.Bytes, want)
		}
		x.Free()
		return nil
	})
}

// useAllSlots opens as many streams as the peer of connectSession allows.
func useAllSlots(t *testing.T, s *transport.Session, p *peer) {
	t.Helper()
	for i := range uint64(16) {
		openExchange(t, s, p, 2*i+1)
	}
}

func TestExchangesThatWaitAreOpenedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		useAllSlots(t, s, p)
		var all []<-chan error
		for i := range 5 {
			all = append(all, askLater(t.Context(), s, fmt.Sprint(i)))
			stillWaits(t, all[i])
		}
		if n := s.Stats().WaitingOpens; n != 5 {
			t.Errorf("%d wait", n)
		}
		p.send(dataEnd(1, "a"), dataEnd(5, "b"))
		p.wants(`OPEN 33 "h"`, `DATA 33 +end "0"`, `OPEN 35 "h"`, `DATA 35 +end "1"`)
		p.send(dataEnd(35, "answer to 1"), dataEnd(33, "answer to 0"), dataEnd(3, "c"))
		p.wants(`OPEN 37 "h"`, `DATA 37 +end "2"`, `OPEN 39 "h"`, `DATA 39 +end "3"`, `OPEN 41 "h"`, `DATA 41 +end "4"`)
		p.send(dataEnd(37, "answer to 2"), dataEnd(39, "answer to 3"), dataEnd(41, "answer to 4"))
		for i, done := range all {
			if err := <-done; err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

func TestAnExchangeThatWaitsMayBeGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		useAllSlots(t, s, p)
		ctx, cancel := context.WithCancel(t.Context())
		first := askLater(ctx, s, "first")
		stillWaits(t, first)
		next := askLater(t.Context(), s, "next")
		stillWaits(t, next)
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		p.send(dataEnd(1, ""))
		p.wants(`OPEN 33 "h"`, `DATA 33 +end "next"`)
		p.send(dataEnd(33, "answer to next"))
		if err := <-next; err != nil {
			t.Error(err)
		}
	})
}

func TestAnExchangeThatWasOpenedMeanwhileIsResetWhenItIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		useAllSlots(t, s, p)
		ctx, cancel := context.WithCancel(t.Context())
		done := askLater(ctx, s, "ask")
		stillWaits(t, done)
		p.send(dataEnd(1, ""))
		p.wants(`OPEN 33 "h"`, `DATA 33 +end "ask"`)
		stillWaits(t, done)
		cancel()
		synctest.Wait()
		p.send(reset(33, 1))
		if err := <-done; err == nil {
			t.Error("it was answered")
		}
	})
}

func TestExchangesThatWaitFailWithTheSession(t *testing.T) {
	for how, end := range map[string]func(s *transport.Session, p *peer){
		"closed":   func(s *transport.Session, _ *peer) { s.Close(transport.CloseNormal, "") },
		"draining": func(_ *transport.Session, p *peer) { p.send(goAway(31)) },
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
				useAllSlots(t, s, p)
				done := askLater(t.Context(), s, "ask")
				stillWaits(t, done)
				end(s, p)
				var closed *transport.CloseError
				if err := <-done; !errors.Is(err, transport.ErrDraining) && !errors.As(err, &closed) {
					t.Error(err)
				}
			})
		})
	}
}

func TestAnAnswerEndsTheWaitForAnExchangeThatIsAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		useAllSlots(t, s, p)
		done := askLater(t.Context(), s, "ask")
		stillWaits(t, done)
		p.send(dataEnd(1, ""))
		p.wants(`OPEN 33 "h"`, `DATA 33 +end "ask"`)
		p.send(raw(frame.TypeHeader, 0, 33, "header"), dataEnd(33, "answer"))
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAnExchangeWithoutRoomIsOpenedByItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := transport.Config{Parameters: transport.Parameters{WriteQueue: 1}}
		s, p := connectSessionOver(t, pipe.Config{Capacity: 1}, transport.Dialer, cfg, frame.Hello{})
		useAllSlots(t, s, p)
		p.link.Stall()
		done := askLater(t.Context(), s, "ask")
		later := askLater(t.Context(), s, "later")
		synctest.Wait()
		p.send(dataEnd(1, ""), dataEnd(3, ""), dataEnd(5, ""), dataEnd(7, ""))
		third := askLater(t.Context(), s, "third")
		synctest.Wait()
		p.link.Resume()
		for _, f := range p.got() {
			var id uint64
			var msg string
			if n, _ := fmt.Sscanf(f, "DATA %d +end %q", &id, &msg); n == 2 {
				p.send(dataEnd(id, "answer to "+msg))
			}
		}
		for _, err := range []error{<-done, <-later, <-third} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestManyExchangesShareFewSlots(t *testing.T) {
	d, a := pair(t, transport.Config{}, transport.Config{Parameters: transport.Parameters{MaxStreams: 16}, OnStream: func(st *transport.Stream, _ []byte) *transport.ResetError {
		go func() {
			m, _ := st.Recv(context.Background(), nil)
			_ = st.Send(context.Background(), append([]byte("answer to "), m.Bytes...), transport.SendOptions{End: true})
			st.Close()
		}()
		return nil
	}})
	var callers sync.WaitGroup
	for i := range 100 {
		callers.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if (i+n)%5 == 0 {
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(n)*10*time.Microsecond)
				}
				err := <-askLater(ctx, d, fmt.Sprint(i, n))
				var reset *transport.ResetError
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &reset) && ctx.Err() == nil {
					t.Errorf("%d, %d: %v", i, n, err)
				}
				cancel()
			}
		})
	}
	callers.Wait()
	if err := errors.Join(d.Err(), a.Err()); err != nil {
		t.Error(err)
	}
	if n := d.Stats().WaitingOpens; n != 0 {
		t.Errorf("%d still wait", n)
	}
}
