package drive

import (
	"context"
	"errors"
	"time"

	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

// rate is how often a step is done in a second while workers do it at once, and what
// CPU time of both processes that takes.
type rate struct {
	workers int
	begin   begin
	metric  Metric  // what a step counts as
	unit    float64 // how much of the metric a step is; 0 is 1
	p50     bool    // say as well how long a step takes
}

func (r rate) metrics() []Metric {
	if r.p50 {
		return []Metric{P50, CPU, r.metric}
	}
	return []Metric{r.metric, CPU}
}

func (r rate) run(ctx context.Context, b *Bench) (Figures, error) {
	c, err := b.dial(ctx, Setup{})
	if err != nil {
		return nil, err
	}
	f, err := r.on(ctx, b, c)
	return f, errors.Join(err, c.Close())
}

// on runs it with a client.
func (r rate) on(ctx context.Context, b *Bench, c Client) (f Figures, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := make([]worker, r.workers)
	for i := range workers {
		if workers[i], err = r.begin(ctx, c); err != nil {
			return nil, err
		}
	}
	crew := start(cancel, workers)
	if err = pause(ctx, b.Warmup); err == nil {
		err = b.profiled(func() (err error) {
			f, err = r.measure(ctx, b, crew)
			return err
		})
	}
	crew.stop()
	// The cause is what a worker has failed with, were it only at its end.
	return f, errors.Join(err, context.Cause(ctx))
}

// measure looks at a crew that works, over the measured interval.
func (r rate) measure(ctx context.Context, b *Bench, crew *crew) (Figures, error) {
	before, err := b.look(proc.Quick)
	if err != nil {
		return nil, err
	}
	steps, began := crew.steps(), time.Now()
	crew.recording.Store(r.p50)
	if err := pause(ctx, b.Measure); err != nil {
		return nil, err
	}
	crew.recording.Store(false)
	after, err := b.look(proc.Quick)
	if err != nil {
		return nil, err
	}
	n, took := float64(crew.steps()-steps), time.Since(began)
	unit := r.unit
	if unit == 0 {
		unit = 1
	}
	f := Figures{
		r.metric.Name: n * unit / took.Seconds(),
		CPU.Name:      micros(after.CPU-before.CPU) / n,
	}
	if r.p50 {
		crew.stop() // so that the latencies may be read
		f[P50.Name] = micros(stat.Quantile(crew.latencies(), 0.5))
	}
	return f, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
