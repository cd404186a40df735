package drive

import (
	"context"

	"google.golang.org/protobuf/proto"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/proc"
)

// wire measures how many bytes the connection carries for a call beyond its two
// messages, in both directions together, without TCP and IP. It needs a server
// that counts.
type wire struct {
	workers int
}

func (wire) metrics() []Metric { return []Metric{Overhead} }

func (w wire) run(ctx context.Context, b *Bench) (Figures, error) {
	req := newEcho(smallSize)
	messages := proto.Size(req) + proto.Size(&benchv1.EchoResponse{Payload: req.GetPayload()})
	measure := func(ctx context.Context, crew *crew) (Figures, error) {
		before, err := b.Server.Look(proc.Quick)
		if err != nil {
			return nil, err
		}
		steps := crew.steps()
		if err := crew.proceed(ctx, b.Measure); err != nil {
			return nil, err
		}
		after, err := b.Server.Look(proc.Quick)
		if err != nil {
			return nil, err
		}
		n := float64(crew.steps() - steps)
		return Figures{Overhead.Name: float64(after.Wire-before.Wire)/n - float64(messages)}, nil
	}
	return b.withClient(ctx, func(c Client) (Figures, error) {
		return b.underLoad(ctx, c, b.count(w.workers), unary(smallSize), measure)
	})
}
