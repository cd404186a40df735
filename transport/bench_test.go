package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// sessions returns two sessions over a pipe without latency. The acceptor runs
// serve for each stream.
func sessions(b *testing.B, serve func(*transport.Stream)) (d *transport.Session) {
	b.Helper()
	dl, al := pipe.New(pipe.Config{Capacity: 1 << 20})
	d, err := transport.NewSession(dl, transport.Dialer, transport.Config{})
	if err != nil {
		b.Fatal(err)
	}
	a, err := transport.NewSession(al, transport.Acceptor, transport.Config{OnStream: func(st *transport.Stream, _ []byte) *transport.ResetError {
		go serve(st)
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		d.Close(transport.CloseNormal, "")
		a.Close(transport.CloseNormal, "")
	})
	if _, err := d.PeerSettings(b.Context()); err != nil {
		b.Fatal(err)
	}
	return d
}

// answer sends each message of a stream back and ends with the peer.
func answer(st *transport.Stream) {
	defer st.Close()
	ctx := context.Background()
	var buf []byte
	for {
		m, err := st.Recv(ctx, buf[:0])
		if errors.Is(err, io.EOF) {
			_ = st.CloseSend(ctx, nil) // the caller sees the result
			return
		}
		if err != nil || st.Send(ctx, m.Bytes, transport.SendOptions{}) != nil {
			return
		}
		buf = m.Bytes
	}
}

// exchange opens a stream, sends a message, and receives the response and the
// end.
func exchange(ctx context.Context, s *transport.Session, msg []byte) error {
	st, err := s.Open(ctx, nil)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Send(ctx, msg, transport.SendOptions{End: true}); err != nil {
		return err
	}
	m, err := st.Recv(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := st.Recv(ctx, m.Bytes[:0]); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the answer: %w", err)
	}
	return nil
}

// BenchmarkExchange opens a stream for each message of 100 bytes and waits for
// the response.
func BenchmarkExchange(b *testing.B) {
	for _, inflight := range []int{1, 64} {
		b.Run(fmt.Sprintf("inflight=%d", inflight), func(b *testing.B) {
			d := sessions(b, answer)
			msg := make([]byte, 100)
			var next atomic.Int64
			var workers sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range inflight {
				workers.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if err := exchange(b.Context(), d, msg); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			workers.Wait()
		})
	}
}

// BenchmarkSend sends messages on one stream, one way, as fast as they are read.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{100, 1 << 20} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			received := make(chan error, 1)
			d := sessions(b, func(st *transport.Stream) { received <- discard(st, b.N) })
			st, err := d.Open(b.Context(), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			msg := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := st.Send(b.Context(), msg, transport.SendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			if err := <-received; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// discard receives n messages.
func discard(st *transport.Stream, n int) error {
	defer st.Close()
	var buf []byte
	for range n {
		m, err := st.Recv(context.Background(), buf[:0])
		if err != nil {
			return err
		}
		buf = m.Bytes
	}
	return nil
}
