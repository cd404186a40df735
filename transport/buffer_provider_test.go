package transport_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// countingProvider is a BufferProvider that counts how often it is called.
type countingProvider struct {
	buf   [64]byte
	taken int
}

func (l *countingProvider) Grow(msg []byte, _ int) []byte {
	l.taken++
	return append(l.buf[:0], msg...)
}

// growing is a BufferProvider that counts how often a message is moved.
type growing struct{ moved int }

func (g *growing) Grow(msg []byte, size int) []byte {
	if len(msg) > 0 {
		g.moved++
	}
	return append(make([]byte, 0, size), msg...)
}

func TestMessageAsLongAsTheLongestIsNotMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		piece := strings.Repeat("x", 15<<10)
		for i, want := range []int{1, 0} {
			var memory growing
			received := start(func() error {
				m, err := st.RecvBorrowed(t.Context(), &memory)
				if err == nil && len(m.Bytes) != 5*len(piece) {
					err = fmt.Errorf("%d bytes", len(m.Bytes))
				}
				return err
			})
			synctest.Wait()
			for range 4 { // less than fits at first
				p.send(dataMore(1, piece))
				synctest.Wait()
			}
			p.send(data(1, piece))
			if err := <-received; err != nil || memory.moved != want {
				t.Errorf("message %d: %v, moved %d times, want %d", i, err, memory.moved, want)
			}
		}
	})
}

func TestWaitingRecvTakesMemoryOnlyWhenAMessageArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, frame.Hello{})
		p.send(open(1, ""))
		st := mustAccept(t, s)
		var memory countingProvider
		receive := func(ctx context.Context, want string) {
			t.Helper()
			m, err := st.RecvBorrowed(ctx, &memory)
			if err != nil || string(m.Bytes) != want {
				t.Errorf("received %q, %v", m.Bytes, err)
			}
			if inMemory := &m.Bytes[0] == &memory.buf[0]; inMemory != (want == "awaited" || want == "half and half") {
				t.Errorf("%q is in the memory that was taken: %t", want, inMemory)
			}
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			receive(t.Context(), "awaited")
		}()
		synctest.Wait()
		if memory.taken != 0 {
			t.Errorf("%d times taken by who waits", memory.taken)
		}
		p.send(data(1, "awaited"))
		<-done
		p.send(data(1, "there already"))
		synctest.Wait()
		receive(t.Context(), "there already")
		if memory.taken != 1 {
			t.Errorf("taken %d times for 1 message that was awaited", memory.taken)
		}
		if _, err := st.RecvBorrowed(ended(t), &memory); err == nil || memory.taken != 1 {
			t.Errorf("an abandoned wait: %v, taken %d times", err, memory.taken)
		}
		p.send(dataMore(1, "half "))
		synctest.Wait()
		if _, err := st.RecvBorrowed(ended(t), &memory); err == nil {
			t.Error("half a message was received")
		}
		p.send(data(1, "and half"))
		synctest.Wait()
		receive(t.Context(), "half and half")
	})
}
