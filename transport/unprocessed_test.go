package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// TestStreamIsUnprocessedOnlyIfThePeersApplicationCannotKnowIt opens a stream
// to an acceptor whose frames the test writes.
func TestStreamIsUnprocessedOnlyIfThePeersApplicationCannotKnowIt(t *testing.T) {
	hello := func(l *pipe.End) {
		h := frame.Hello{MaxStreams: 16, InitialWindow: 1 << 16, MaxMessage: 1 << 16}
		_ = l.WriteMessage([][]byte{h.Append(nil)})
	}
	reset := func(code transport.ResetCode) func(*pipe.End) {
		return func(l *pipe.End) {
			hello(l)
			_ = l.WriteMessage([][]byte{frame.AppendReset(nil, 1, uint64(code), "")})
		}
	}
	for name, tt := range map[string]struct {
		peer func(*pipe.End)
		want bool
	}{
		"refused":               {reset(transport.ResetRefused), true},
		"canceled":              {reset(transport.ResetCancel), false},
		"beyond GOAWAY":         {func(l *pipe.End) { hello(l); _ = l.WriteMessage([][]byte{(&frame.GoAway{}).Append(nil)}) }, true},
		"refused before HELLO":  {func(l *pipe.End) { _ = l.Close(4014, "") }, true},
		"ended after HELLO":     {func(l *pipe.End) { hello(l); _ = l.Close(4014, "") }, false},
		"closed before HELLO":   {func(l *pipe.End) { _ = l.Close(1001, "") }, false},
		"link lost":             {func(l *pipe.End) { l.Cut() }, false},
		"link lost after HELLO": {func(l *pipe.End) { hello(l); l.Cut() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, a := pipe.New(pipe.Config{})
				s, err := transport.NewSession(d, transport.Dialer, transport.Config{})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close(transport.CloseNormal, "")
				st, err := s.Open(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				tt.peer(a)
				if _, err := st.Recv(t.Context(), nil); err == nil {
					t.Fatal("received a message")
				}
				if got := st.Unprocessed(); got != tt.want {
					t.Errorf("unseen %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestStreamOpenedWhileDetachedIsUnprocessedUntilItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMobileDialer(t, nil)
		sent, err := m.dialer.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		m.mu.Lock()
		m.breaks = func(d, _ *pipe.End) { d.Cut() } // every link breaks from now on
		m.mu.Unlock()
		m.cut()
		synctest.Wait()
		waiting, err := m.dialer.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		<-m.dialer.Done()
		for name, tt := range map[string]struct {
			st   *transport.Stream
			want bool
		}{"sent": {sent, false}, "waiting": {waiting, true}} {
			var closed *transport.CloseError
			if _, err := tt.st.Recv(context.Background(), nil); !errors.As(err, &closed) || tt.st.Unprocessed() != tt.want {
				t.Errorf("%s: %v, unseen %v", name, err, tt.st.Unprocessed())
			}
		}
	})
}
