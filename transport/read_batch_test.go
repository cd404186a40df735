package transport_test

import (
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

func TestBatchedMessagesAreReceivedInOrderWithLaterOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		var memory countingProvider
		sent, received := 0, 0
		send := func(frames ...[]byte) { p.send(frames...); sent++ }
		for range 20 {
			for range 7 {
				send(data(1, fmt.Sprint("message ", sent)))
			}
			send(dataMore(1, "mess"), dataMore(1, "age"), data(1, fmt.Sprint(" ", sent)))
			synctest.Wait()
			for range 5 {
				m, err := st.RecvBorrowed(t.Context(), &memory)
				if want := fmt.Sprint("message ", received); err != nil || string(m.Bytes) != want {
					t.Fatalf("received %q, %v, not %q", m.Bytes, err, want)
				}
				received++
			}
		}
		p.send(end(1, ""))
		for ; received < sent; received++ {
			if got, want := mustRecv(t, st), fmt.Sprint("message ", received); got != want {
				t.Fatalf("received %q, not %q", got, want)
			}
		}
		if _, err := st.RecvBorrowed(t.Context(), &memory); !errors.Is(err, io.EOF) {
			t.Errorf("behind the last: %v", err)
		}
	})
}

func TestLentMessageStaysUntilTheNextIsReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""), data(1, "the only one"), open(3, ""))
		st, other := mustAccept(t, s), mustAccept(t, s)
		synctest.Wait()
		var memory countingProvider
		m, err := st.RecvBorrowed(t.Context(), &memory)
		if err != nil || memory.taken != 0 {
			t.Fatalf("%v, memory taken %d times", err, memory.taken)
		}
		for range 10 { // other readers take buffers
			p.send(data(3, strings.Repeat("another", 10)))
			synctest.Wait()
			mustRecv(t, other)
		}
		st.Close()
		if string(m.Bytes) != "the only one" {
			t.Errorf("it has become %q", m.Bytes)
		}
	})
}

func TestCreditIsAnnouncedForMessagesThatCameTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, smallWindows(0), frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		const each = 100 + 32 // bytes of credit
		for range 16 << 10 / each {
			p.send(data(1, strings.Repeat("x", 100)))
		}
		synctest.Wait()
		for range 16 << 10 / each {
			mustRecv(t, st)
		}
		synctest.Wait()
		// Half of the window must be used up, and a quarter may not be counted
		// yet.
		got := p.got()
		if len(got) != 1 && len(got) != 2 {
			t.Fatalf("announced %q", got)
		}
		for range 8 << 10 / each { // at least this much was announced
			p.send(data(1, strings.Repeat("y", 100)))
		}
		synctest.Wait()
		for range 8 << 10 / each {
			mustRecv(t, st)
		}
	})
}

func TestResetDropsWhatARecvHasTakenOver(t *testing.T) {
	for how, reset := range map[string]func(*peer, *transport.Stream){
		"by the peer": func(p *peer, st *transport.Stream) { p.send(reset(1, 1)) },
		"by this end": func(_ *peer, st *transport.Stream) { st.Reset(transport.ResetCancel, "") },
		"by Close":    func(_ *peer, st *transport.Stream) { st.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
				p.send(open(1, ""), data(1, "one"), data(1, "two"), data(1, "three"))
				st := mustAccept(t, s)
				synctest.Wait()
				if got := mustRecv(t, st); got != "one" {
					t.Fatalf("received %q", got)
				}
				reset(p, st)
				synctest.Wait()
				if m, err := st.Recv(t.Context(), nil); err == nil {
					t.Errorf("received %q", m.Bytes)
				}
			})
		})
	}
}

func TestSessionThatHasComeToRestHoldsNothingForStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a := pair(t, transport.Config{OnDetached: func(*transport.Session, error) {}}, transport.Config{Sessions: new(transport.Sessions)})
		out, in := converse(t, d, a, "one")
		out.Free()
		in.Free()
		if d.PooledStreams() == 0 || a.PooledStreams() == 0 {
			t.Fatal("no stream is kept to be used again")
		}
		advance(time.Second) // the last frames are acknowledged
		if d.PooledStreams() != 0 || a.PooledStreams() != 0 {
			t.Errorf("%d and %d streams are kept", d.PooledStreams(), a.PooledStreams())
		}
		converse(t, d, a, "two")
	})
}
