package drive

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// allocations is what both processes allocate for a call, while there is one at a time.
type allocations struct {
	warmup, calls int
}

func (allocations) metrics() []Metric { return []Metric{Allocs, AllocBytes} }

func (a allocations) run(ctx context.Context, b *Bench) (Figures, error) {
	return a.count(ctx, b, proc.Allocations, func(before, after proc.Usage, calls float64) Figures {
		return Figures{
			Allocs.Name:     float64(after.Mallocs-before.Mallocs) / calls,
			AllocBytes.Name: float64(after.Allocated-before.Allocated) / calls,
		}
	})
}

// count makes a number of calls, one at a time, and has f say what they took.
func (a allocations) count(ctx context.Context, b *Bench, depth proc.Depth,
	f func(before, after proc.Usage, calls float64) Figures,
) (figures Figures, err error) {
	c, err := b.dial(ctx, Setup{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	req := newEcho(smallSize)
	repeat := func(n int) error {
		for range n {
			if err := echo(ctx, c, req); err != nil {
				return err
			}
		}
		return nil
	}
	if err := repeat(b.count(a.warmup)); err != nil {
		return nil, err
	}
	before, err := b.look(depth)
	if err != nil {
		return nil, err
	}
	calls := b.count(a.calls)
	if err := b.profiled(func() error { return repeat(calls) }); err != nil {
		return nil, err
	}
	after, err := b.look(depth)
	if err != nil {
		return nil, err
	}
	return f(before, after, float64(calls)), nil
}
