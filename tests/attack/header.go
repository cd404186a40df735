package main

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// headerBomb opens calls whose headers are within the limit and full of the
// smallest pairs of metadata.
func headerBomb(ctx context.Context, addr string, n *tally) error {
	return headers(ctx, addr, n, 16<<10)
}

// largeHeader opens calls whose headers are over the limit.
func largeHeader(ctx context.Context, addr string, n *tally) error {
	return headers(ctx, addr, n, 32<<10)
}

func headers(ctx context.Context, addr string, n *tally, size int) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	var metadata []byte
	for i := 0; len(metadata) < size-200; i++ {
		key := fmt.Sprintf("%c%c", 'a'+i%26, 'a'+i/26%26)
		metadata = frame.AppendBytesField(metadata, 9, "\x02"+key)
	}
	pause(ctx, 100*time.Millisecond) // the server's limit is known only after its HELLO
	id, buf := uint64(1), []byte(nil)
	return f.write(func() []byte {
		buf = open(buf[:0], id, echo, metadata)
		buf = frame.Append(buf, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: id}, nil)
		id += 2
		return buf
	}, func() { n.units.Add(1) })
}
