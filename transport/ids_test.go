package transport

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

// sink is a link that takes everything and brings nothing.
type sink struct {
	gone chan struct{}
	once sync.Once
}

func (l *sink) NextReader() (io.Reader, error) {
	<-l.gone
	return nil, net.ErrClosed
}

func (l *sink) WriteMessage([][]byte) error { return nil }

func (l *sink) Close(CloseCode, string) error {
	l.once.Do(func() { close(l.gone) })
	return nil
}

func TestSessionThatRunsOutOfIdsOpensNoMoreStreams(t *testing.T) {
	for _, side := range []Side{Dialer, Acceptor} {
		s, err := NewSession(&sink{gone: make(chan struct{})}, side, Config{})
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(frame.MaxVarint) - uint64(side)
		s.streams.nextID = last
		st, err := s.Open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if st.ID() != last {
			t.Errorf("opened %d, want %d", st.ID(), last)
		}
		if _, err := s.Open(t.Context(), nil); !errors.Is(err, ErrDraining) {
			t.Errorf("got %v", err)
		}
		if s.streams.local != 1 {
			t.Errorf("%d places are taken by 1 stream", s.streams.local)
		}
		st.Close()
		if s.streams.local != 0 || len(s.streams.byID) != 0 {
			t.Errorf("%d places and %d entries are left", s.streams.local, len(s.streams.byID))
		}
		s.Close(CloseNormal, "")
	}
}
