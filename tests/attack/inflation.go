package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
	"github.com/parley-rpc/parley/transport"
)

// bomb is a compressor that returns the same small bytes for any message.
type bomb struct{ rpc.Compressor }

func (bomb) Name() string { return rpc.CompressionGzip }

func (bomb) Compress(dst, _ []byte) ([]byte, error) { return append(dst, explosive()...), nil }

// explosive is 256 MiB of zeros, compressed to 256 KiB.
var explosive = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, zeros{}, 256<<20) // neither the reader nor the writer fails
	_ = w.Close()                        // as before
	return b.Bytes()
})

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// almost is a message of nearly 4 MiB, the limit of a message, compressed to 4
// KiB.
var almost = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(bytesMessage(make([]byte, almostAll-64))) // a buffer takes all
	_ = w.Close()                                            // as before
	return b.Bytes()
})

// inflate makes many calls at once with messages that inflate to nearly the
// limit.
func inflate(ctx context.Context, addr string, n *tally) error {
	s, err := session(ctx, addr)
	if err != nil {
		return err
	}
	defer s.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
	const atOnce = 256
	header := frame.AppendBytesField(frame.AppendBytesField(nil, 1, take.Path()), 5, rpc.CompressionGzip)
	var calls sync.WaitGroup
	for range atOnce {
		calls.Go(func() {
			for ctx.Err() == nil && s.Err() == nil {
				st, err := s.Open(ctx, header)
				if err != nil {
					return
				}
				_ = st.Send(ctx, almost(), transport.SendOptions{Mark: true, End: true}) // Recv returns the error
				_, _ = st.Recv(ctx, nil)                                                 // any result will do
				_ = st.Close()                                                           // as before
				n.units.Add(1)
			}
		})
	}
	calls.Wait()
	return untilOver(ctx, s)
}

func gzipBomb(ctx context.Context, addr string, n *tally) error {
	c := rpc.NewClient("ws://"+addr+rig.Path, rpc.WithCompressor(bomb{}))
	defer c.Close() //nolint:errcheck // nothing to lose
	for ctx.Err() == nil {
		n.units.Add(1)
		_, err := rpc.CallUnary[wrapperspb.BytesValue, wrapperspb.BytesValue](ctx, c, echo,
			wrapperspb.Bytes(make([]byte, 1<<20)), rpc.WithCompression(rpc.CompressionGzip))
		if rpc.CodeOf(err) != rpc.CodeResourceExhausted && ctx.Err() == nil {
			return fmt.Errorf("a bomb ended with: %w", err)
		}
	}
	return nil
}
