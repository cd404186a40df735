package drive

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/bench/internal/stat"
)

// first measures the time to the first response: the connection, the handshake,
// a call.
type first struct {
	warmup, times int
}

func (first) metrics() []Metric { return []Metric{P50, P99} }

func (w first) run(ctx context.Context, b *Bench) (Figures, error) {
	for range b.count(w.warmup) {
		if _, err := w.once(ctx, b); err != nil {
			return nil, err
		}
	}
	return b.profiled(func() (Figures, error) {
		var took []time.Duration
		for range b.count(w.times) {
			d, err := w.once(ctx, b)
			if err != nil {
				return nil, err
			}
			took = append(took, d)
		}
		return Figures{
			P50.Name: micros(stat.Quantile(took, 0.5)),
			P99.Name: micros(stat.Quantile(took, 0.99)),
		}, nil
	})
}

func (first) once(ctx context.Context, b *Bench) (time.Duration, error) {
	began := time.Now()
	c, err := b.dial(ctx)
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	return took, c.Close()
}
