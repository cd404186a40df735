package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/transport"
)

// wraps are sequences of stream ids whose last one is invalid: above the
// maximum, started again, or lower than the one before.
var wraps = [][]uint64{
	{frame.MaxVarint, frame.MaxVarint + 2},
	{frame.MaxVarint - 2, frame.MaxVarint, 1},
	{frame.MaxVarint, frame.MaxVarint},
	{1<<62 - 1},
	{math.MaxUint64},
	{1<<32 + 1, 1},
	{9, 7},
	{1, 3, 5, 3},
}

// openAt appends an OPEN frame of a call, with any id.
func openAt(dst []byte, id uint64) []byte {
	payload := frame.AppendBytesField(nil, 1, take.Path())
	dst = binary.AppendUvarint(append(dst, byte(frame.TypeOpen)), id)
	return append(frame.AppendVarint(dst, uint64(len(payload))), payload...)
}

// wrappedIDs opens streams with invalid ids. The server must end each such
// session at once.
func wrappedIDs(ctx context.Context, addr string, n *tally) error {
	return wrapped(ctx, addr, wraps[rand.IntN(len(wraps))], n)
}

func wrapped(ctx context.Context, addr string, ids []uint64, n *tally) error {
	f, err := meet(ctx, addr, generous, hears)
	if err != nil {
		return err
	}
	defer f.link.Close(1006, "") //nolint:errcheck // nothing to lose
	var buf []byte
	for _, id := range ids {
		buf = openAt(buf, id)
	}
	if err := f.link.WriteMessage([][]byte{buf}); err != nil {
		return err
	}
	err = f.end()
	var closed *transport.CloseError
	switch {
	case errors.As(err, &closed) && closed.Remote && closed.Code == transport.CloseProtocolError:
		n.units.Add(1)
	case ctx.Err() == nil:
		n.won.Add(1)
		return fmt.Errorf("ids %v ended with: %w", ids, err)
	}
	return err
}
