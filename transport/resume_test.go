package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// mobileDialer is a pair of sessions over links that the test breaks. The
// dialer dials again whenever the link is lost.
type mobileDialer struct {
	t        *testing.T
	sessions transport.Sessions
	acceptor transport.Config
	made     chan *transport.Session // at the acceptor, new ones
	dialer   *transport.Session
	loops    sync.WaitGroup

	known []*transport.Session // at the acceptor, including those that only started a link

	mu     sync.Mutex
	link   *pipe.End            // the dialer's end of the newest link
	far    *pipe.End            // the acceptor's
	breaks func(d, a *pipe.End) // arranges how each link breaks
}

func newMobileDialer(t *testing.T, breaks func(d, a *pipe.End)) *mobileDialer {
	t.Helper()
	m := &mobileDialer{t: t, made: make(chan *transport.Session, 16)}
	m.acceptor = transport.Config{Sessions: &m.sessions, OnHello: func(s *transport.Session) { m.made <- s }}
	var err error
	m.dialer, err = transport.NewSession(m.connect(), transport.Dialer, transport.Config{
		OnDetached: func(s *transport.Session, _ error) { m.loops.Go(func() { m.redial(s) }) },
	})
	if err != nil {
		t.Fatal(err)
	}
	// There is nothing to resume before both ends have sent HELLO.
	if _, err := m.dialer.PeerSettings(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.breaks = breaks
	if breaks != nil {
		breaks(m.link, m.far)
	}
	t.Cleanup(func() {
		_ = m.dialer.Close(transport.CloseNormal, "")
		m.loops.Wait()
		for _, s := range m.known {
			_ = s.Close(transport.CloseNormal, "")
		}
	})
	return m
}

// connect makes a link with a session at its other end.
func (m *mobileDialer) connect() *pipe.End {
	d, a := pipe.New(pipe.Config{Latency: time.Millisecond})
	m.mu.Lock()
	m.link, m.far = d, a
	if m.breaks != nil {
		m.breaks(d, a)
	}
	m.mu.Unlock()
	s, err := transport.NewSession(a, transport.Acceptor, m.acceptor)
	if err != nil {
		m.t.Error(err)
	}
	m.known = append(m.known, s)
	return d
}

func (m *mobileDialer) redial(s *transport.Session) {
	for s.Err() == nil {
		if _, err := s.Resume(context.Background(), m.connect(), nil); err == nil {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

// cut breaks the newest link.
func (m *mobileDialer) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.link.Cut()
}

// number returns message i of a stream, with a size that depends on i.
func number(i int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, (i*7919)%5000), uint64(i))
}

// sendNumbers sends n numbered messages and ends the direction.
func sendNumbers(st *transport.Stream, n int) error {
	for i := range n {
		if err := st.Send(context.Background(), number(i), transport.SendOptions{}); err != nil {
			return err
		}
	}
	return st.CloseSend(context.Background(), nil)
}

// recvNumbers checks that n numbered messages arrive, each once and in order.
func recvNumbers(t *testing.T, st *transport.Stream, n int) {
	t.Helper()
	var buf []byte
	for i := range n {
		m, err := st.Recv(context.Background(), buf)
		if err != nil {
			t.Errorf("message %d of stream %d: %v", i, st.ID(), err)
			return
		}
		want := number(i)
		if len(m.Bytes) != len(want) || binary.BigEndian.Uint64(m.Bytes[len(m.Bytes)-8:]) != uint64(i) {
			t.Errorf("stream %d: message %d has %d bytes", st.ID(), i, len(m.Bytes))
			return
		}
		buf = m.Bytes
	}
	if _, err := st.Recv(context.Background(), buf); !errors.Is(err, io.EOF) {
		t.Errorf("stream %d: after the last message: %v", st.ID(), err)
	}
}

// exchangeNumbers sends and receives n numbered messages at once, and closes the stream.
func exchangeNumbers(t *testing.T, st *transport.Stream, n int) {
	t.Helper()
	var sending sync.WaitGroup
	sending.Go(func() {
		if err := sendNumbers(st, n); err != nil {
			t.Errorf("stream %d: send: %v", st.ID(), err)
		}
	})
	recvNumbers(t, st, n)
	sending.Wait()
	_ = st.Close()
}

func TestNothingIsLostDoubledOrReorderedByCuts(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 4, 5, 6, 7, 8} {
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			rnd := rand.New(rand.NewPCG(seed, 0))
			var links int
			m := newMobileDialer(t, func(d, a *pipe.End) {
				if links++; links > 60 {
					return
				}
				d.CutAfterBytes(int64(rnd.IntN(200_000)))
				a.CutAfterBytes(int64(rnd.IntN(200_000)))
			})
			a := <-m.made
			const streams, messages = 6, 200
			var all sync.WaitGroup
			for range streams {
				all.Go(func() {
					st, err := m.dialer.Open(context.Background(), []byte("up"))
					if err != nil {
						t.Error(err)
						return
					}
					exchangeNumbers(t, st, messages)
				})
				all.Go(func() {
					st, err := a.Accept(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					exchangeNumbers(t, st, messages)
				})
			}
			all.Wait()
			t.Logf("%d links", links)
		})
	}
}

func TestPingIsAnsweredOnTheNextLinkIfItsLinkIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMobileDialer(t, nil)
		for _, s := range []*transport.Session{m.dialer, <-m.made} {
			m.cut()
			if rtt, err := s.Ping(t.Context()); err != nil || rtt > 100*time.Millisecond {
				t.Errorf("answered after %v, %v", rtt, err)
			}
		}
	})
}
