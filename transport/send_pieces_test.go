package transport_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// TestMessageOf64KiBIsOneMessageOfTheLink sends payloads of 64 KiB with what an
// encoding puts around them.
func TestMessageOf64KiBIsOneMessageOfTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, roomy())
		p.send(frame.Append(nil, frame.Header{Type: frame.TypeOpen, Stream: 1}, nil))
		st, err := s.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, around := range []int{0, 4, 100, 2000} {
			synctest.Wait()
			p.mu.Lock()
			before := len(p.sizes)
			p.mu.Unlock()
			if err := st.Send(t.Context(), make([]byte, 64<<10+around), transport.SendOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			p.mu.Lock()
			sizes := slices.Clone(p.sizes[before:])
			p.mu.Unlock()
			if len(sizes) != 1 || sizes[0] < 64<<10+around {
				t.Errorf("64 KiB and %d bytes came in messages of %d bytes", around, sizes)
			}
		}
	})
}

// TestPiecesOfAMessageAreSentWhileItsSenderWaitsForCredit has a message for which
// the first window is too small.
func TestPiecesOfAMessageAreSentWhileItsSenderWaitsForCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hello := roomy()
		hello.InitialWindow = 64 << 10
		s, p := connectSession(t, transport.Acceptor, transport.Config{}, hello)
		p.send(frame.Append(nil, frame.Header{Type: frame.TypeOpen, Stream: 1}, nil))
		st, err := s.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sent := make(chan error, 1)
		go func() { sent <- st.Send(t.Context(), make([]byte, 64<<10+4), transport.SendOptions{}) }()
		synctest.Wait()
		select {
		case err := <-sent:
			t.Fatal("it was sent beyond the window:", err)
		default:
		}
		p.wants("DATA 1 +more 32704 bytes", "DATA 1 +more 32704 bytes")
		p.send(frame.Append(nil, frame.Header{Type: frame.TypeWindow, Stream: 1}, frame.AppendVarint(nil, 1<<20)))
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		p.wants("DATA 1 132 bytes")
	})
}

// roomy is the HELLO of a peer that takes large frames and many bytes.
func roomy() frame.Hello {
	h := frame.HelloDefaults
	h.MaxFrame, h.MaxMessage, h.InitialWindow = 64<<10, 1<<20, 4<<20
	return h
}
