package ws_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// TestWaitersThatReadSocketsNeverHang makes calls one after the other, so that
// goroutines that wait read the sockets. Contexts end, other calls come between,
// in both directions, and at the end the link is lost or closed.
func TestWaitersThatReadSocketsNeverHang(t *testing.T) {
	for range 20 {
		client, server := connect(t)
		var ends [2]*transport.Session
		for side, link := range []*ws.Conn{client, server} {
			s, err := transport.NewSession(link, transport.Side(side), transport.Config{OnStream: echoStream})
			if err != nil {
				t.Fatal(err)
			}
			ends[side] = s
		}
		var callers sync.WaitGroup
		callers.Go(func() { callUntilTheEnd(t, ends[0], 200*time.Microsecond) })
		callers.Go(func() { callUntilTheEnd(t, ends[1], 20*time.Millisecond) })
		<-time.After(time.Duration(rand.IntN(int(100 * time.Millisecond))))
		closing := ends[rand.IntN(2)]
		if rand.IntN(2) == 0 {
			_ = closing.Close(transport.CloseNormal, "")
		} else {
			_ = closing.Link().Close(transport.CloseAbnormal, "")
		}
		callers.Wait()
		for _, s := range ends {
			_ = s.Close(transport.CloseNormal, "")
		}
	}
}

// echoStream sends back what arrives on a stream, until its end.
func echoStream(st *transport.Stream, _ []byte) *transport.ResetError {
	go func() {
		defer st.Close()
		for {
			m, err := st.Recv(context.Background(), nil)
			if err != nil || st.Send(context.Background(), m.Bytes, transport.SendOptions{End: m.Last}) != nil || m.Last {
				return
			}
		}
	}()
	return nil
}

// callUntilTheEnd makes calls until the session ends, and pauses now and then.
func callUntilTheEnd(t *testing.T, s *transport.Session, pause time.Duration) {
	for n := 0; s.Err() == nil; n++ {
		var err error
		if n%100 < 50 {
			err = exchangeOnce(s, n)
		} else {
			err = pingPongs(s, 50)
		}
		if err != nil {
			t.Error(err)
		}
		if pause > time.Millisecond || rand.IntN(50) == 0 {
			<-time.After(time.Duration(rand.IntN(10 * int(pause))))
		}
	}
}

// exchangeOnce makes a call. Some end before the answer, and some have another
// one beside them.
func exchangeOnce(s *transport.Session, n int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var deadline time.Time
	var beside sync.WaitGroup
	defer beside.Wait()
	switch rand.IntN(40) {
	case 0:
		beside.Go(cancel)
	case 1:
		deadline = time.Now().Add(time.Duration(rand.IntN(int(200 * time.Microsecond))))
	case 2:
		beside.Go(func() { _ = exchangeOnce(s, n) })
	case 3, 4, 5:
		deadline = time.Now().Add(time.Minute)
	}
	msg := fmt.Sprint("message ", n)
	x, st, _, err := s.OpenExchange(ctx, nil, []byte(msg), transport.ExchangeOptions{AwaitAnswer: true})
	if err != nil {
		return nil // the context or the session has ended
	}
	if x == nil {
		return st.Close()
	}
	defer x.Free()
	if rand.IntN(100) == 0 {
		beside.Go(x.Close)
	}
	if m, ok := x.Recv(ctx, deadline); ok && string(m.Bytes) != msg {
		return fmt.Errorf("%q is answered by %q", msg, m.Bytes)
	}
	beside.Wait()
	return nil
}

// pingPongs makes messages alternate on a stream.
func pingPongs(s *transport.Session, most int) error {
	st, err := s.Open(context.Background(), nil)
	if err != nil {
		return nil // the session has ended
	}
	defer st.Close()
	for n := range rand.IntN(most) {
		msg := fmt.Sprint("ping ", n)
		if rand.IntN(50) == 0 {
			msg += string(make([]byte, rand.IntN(100_000)))
		}
		if st.Send(context.Background(), []byte(msg), transport.SendOptions{}) != nil {
			return nil
		}
		m, err := st.Recv(context.Background(), nil)
		if err != nil {
			return nil
		}
		if string(m.Bytes) != msg {
			return fmt.Errorf("%d bytes came back as %d", len(msg), len(m.Bytes))
		}
	}
	return nil
}
