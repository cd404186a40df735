package transport_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

var errBadHeader = errors.New("a bad header")

// refuseBad is a HeaderCheck.
func refuseBad(header []byte) error {
	if string(header) == "bad" {
		return errBadHeader
	}
	return nil
}

// openChecked opens a stream on each way that there is, with refuseBad as its
// check.
var openChecked = map[string]func(t *testing.T, s *transport.Session) *transport.Stream{
	"Open": func(t *testing.T, s *transport.Session) *transport.Stream {
		st, err := s.Open(t.Context(), []byte("h"))
		if err != nil {
			t.Fatal(err)
		}
		st.OnHeader(refuseBad)
		return st
	},
	"OpenExchange of a small message": func(t *testing.T, s *transport.Session) *transport.Stream {
		x, _, _, err := s.OpenExchange(t.Context(), []byte("h"), []byte("a"), transport.ExchangeOptions{OnHeader: refuseBad})
		if err != nil {
			t.Fatal(err)
		}
		return x.Stream()
	},
	"OpenExchange of a large message": func(t *testing.T, s *transport.Session) *transport.Stream {
		_, st, _, err := s.OpenExchange(t.Context(), []byte("h"), make([]byte, 4000), transport.ExchangeOptions{OnHeader: refuseBad})
		if err != nil {
			t.Fatal(err)
		}
		return st
	},
}

func TestARefusedHeaderAbandonsItsStreamAtOnce(t *testing.T) {
	for name, open := range openChecked {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
				st := open(t, s)
				recv := start(func() error { _, err := st.Recv(t.Context(), nil); return err })
				stillWaits(t, recv)
				p.got()
				p.send(header(1, "bad"))
				p.wants("RESET 1 cancel")
				if err := <-recv; !errors.Is(err, errBadHeader) {
					t.Errorf("Recv: %v", err)
				}
				if err := st.Send(t.Context(), nil, transport.SendOptions{}); err == nil {
					t.Error("Send succeeds")
				}
				p.send(dataEnd(1, "late"))
				p.wantsLife()
				st.Close()
				wantNothingLeft(t, s)
			})
		})
	}
}

func TestAnAcceptedHeaderIsReceived(t *testing.T) {
	for name, open := range openChecked {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
				st := open(t, s)
				p.got()
				p.send(header(1, "good"), dataEnd(1, "a"))
				if got, want := readAll(t, st), `"a" "good" EOF`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				st.Close()
			})
		})
	}
}

// TestACheckSeesAHeaderThatHasArrived has a peer that is faster than OnHeader.
func TestACheckSeesAHeaderThatHasArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, generous)
		st, err := s.Open(t.Context(), []byte("h"))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		p.got()
		p.send(header(1, "bad"))
		st.OnHeader(refuseBad)
		p.wants("RESET 1 cancel")
		st.Close()
	})
}

// TestAnExchangeThatWaitsForASlotChecksItsHeader has an exchange that the
// reader goroutine opens.
func TestAnExchangeThatWaitsForASlotChecksItsHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Dialer, transport.Config{}, frame.Hello{})
		useAllSlots(t, s, p)
		done := start(func() error {
			x, _, _, err := s.OpenExchange(t.Context(), []byte("h"), []byte("a"), transport.ExchangeOptions{AwaitAnswer: true, OnHeader: refuseBad})
			if err != nil {
				return err
			}
			defer x.Close()
			if _, ok := x.Recv(t.Context(), time.Time{}); ok {
				return errors.New("there is an answer")
			}
			_, err = x.Stream().Recv(t.Context(), nil)
			return err
		})
		stillWaits(t, done)
		p.send(dataEnd(1, "a"))
		p.wants(`OPEN 33 "h"`, `DATA 33 +end "a"`)
		p.send(header(33, "bad"))
		p.wants("RESET 33 cancel")
		if err := <-done; !errors.Is(err, errBadHeader) {
			t.Errorf("got %v", err)
		}
	})
}
