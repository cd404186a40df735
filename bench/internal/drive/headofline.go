package drive

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/bench/internal/stat"
)

// headOfLine measures by how much the p99 of small calls grows while load
// saturates the same connection.
type headOfLine struct {
	load   rate
	growth bool // it is compared by the growth rather than by the p99
}

func (w headOfLine) metrics() []Metric {
	if w.growth {
		return []Metric{Growth, P99, QuietP99, w.load.metric}
	}
	return []Metric{P99, Growth, QuietP99, w.load.metric}
}

func (w headOfLine) run(ctx context.Context, b *Bench) (Figures, error) {
	return b.withClient(ctx, func(c Client) (Figures, error) {
		quiet, err := w.p99(ctx, b, c)
		if err != nil {
			return nil, err
		}
		return b.underLoad(ctx, c, b.count(w.load.workers), w.load.begin, func(ctx context.Context, loading *crew) (Figures, error) {
			return b.profiled(func() (Figures, error) {
				done, began := loading.steps(), time.Now()
				busy, err := w.p99(ctx, b, c)
				return Figures{
					Growth.Name:        busy / quiet,
					P99.Name:           busy,
					QuietP99.Name:      quiet,
					w.load.metric.Name: float64(loading.steps()-done) * w.load.unit / time.Since(began).Seconds(),
				}, err
			})
		})
	})
}

// p99 returns the p99 of small calls, one at a time, in microseconds. A steady
// p99 needs many calls, so they are made for longer than in other measurements.
func (headOfLine) p99(ctx context.Context, b *Bench, c Client) (float64, error) {
	f, err := b.underLoad(ctx, c, 1, unary(smallSize), func(ctx context.Context, crew *crew) (Figures, error) {
		crew.recording.Store(true)
		if err := crew.proceed(ctx, 2*b.Measure); err != nil {
			return nil, err
		}
		return Figures{P99.Name: micros(stat.Quantile(crew.latencies(), 0.99))}, nil
	})
	return f[P99.Name], err
}
