package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/rig"
)

// bomb is a compression that sends the same small thing whatever it is given.
type bomb struct{ rpc.Compressor }

func (bomb) Name() string { return rpc.CompressionGzip }

func (bomb) Compress(dst, _ []byte) ([]byte, error) { return append(dst, explosive()...), nil }

// explosive is 256 MiB of zeros, in 256 KiB.
var explosive = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, zeros{}, 256<<20) // neither end fails
	_ = w.Close()                        // as before
	return b.Bytes()
})

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
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
