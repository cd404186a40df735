package main

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// slowReader requests data and reads nothing.
func slowReader(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, isDeaf)
	if err != nil {
		return err
	}
	var buf []byte
	for id := uint64(1); id < 2*batch; id += 2 {
		buf = open(buf, id, pour, nil)
		buf = frame.Append(buf, frame.Header{Type: frame.TypeData, Flags: frame.FlagEnd, Stream: id}, nil)
	}
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	if err := f.link.WriteMessage([][]byte{buf}); err != nil {
		return err
	}
	n.units.Add(batch)
	<-ctx.Done()
	return nil
}

// idleStreams opens as many streams as the server allows, and leaves them idle.
func idleStreams(ctx context.Context, addr string, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	const most = 1024
	var buf []byte
	for id := uint64(1); id < 2*most; id += 2 {
		buf = open(buf, id, take, nil)
	}
	pause(ctx, 100*time.Millisecond) // the server's limit is known only after its HELLO
	if err := f.link.WriteMessage([][]byte{buf}); err != nil {
		return err
	}
	n.units.Add(most)
	<-ctx.Done()
	return nil
}

// claimedCredit sends fast to calls that read fast, so that their windows grow
// by all that is allowed. It then keeps the calls and sends no more.
func claimedCredit(ctx context.Context, addr string, n *tally) error {
	s, err := session(ctx, addr)
	if err != nil {
		return err
	}
	defer s.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
	const (
		streams = 4       // windows of 4 MiB: all that a session may grow by
		enough  = 8 << 20 // bytes until a window has grown that far
	)
	msg := make([]byte, 32<<10)
	for range streams {
		st, err := s.Open(ctx, frame.AppendBytesField(nil, 1, take.Path()))
		if err != nil {
			return err
		}
		for sent := 0; sent < enough; sent += len(msg) {
			if err := st.Send(ctx, bytesMessage(msg), transport.SendOptions{}); err != nil {
				return err
			}
		}
		n.units.Add(1)
	}
	return untilOver(ctx, s)
}
