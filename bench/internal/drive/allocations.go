package drive

import (
	"context"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// allocations measures what both processes allocate for a call, with one call
// at a time.
type allocations struct {
	warmup, calls int
}

func (allocations) metrics() []Metric { return []Metric{Allocs, AllocBytes} }

func (a allocations) run(ctx context.Context, b *Bench) (Figures, error) {
	return b.withClient(ctx, func(c Client) (Figures, error) {
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
		return b.profiled(func() (Figures, error) {
			before, err := b.look(proc.Allocations)
			if err != nil {
				return nil, err
			}
			n := b.count(a.calls)
			if err := repeat(n); err != nil {
				return nil, err
			}
			after, err := b.look(proc.Allocations)
			return Figures{
				Allocs.Name:     float64(after.Mallocs-before.Mallocs) / float64(n),
				AllocBytes.Name: float64(after.Allocated-before.Allocated) / float64(n),
			}, err
		})
	})
}
