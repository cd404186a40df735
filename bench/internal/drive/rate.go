package drive

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

// rate measures the steps per second of concurrent workers, and the CPU time of
// both processes.
type rate struct {
	workers int
	begin   begin
	metric  Metric  // what a step counts as
	unit    float64 // how much of the metric a step is
	p50     bool    // also report how long a step takes
}

func (r rate) metrics() []Metric {
	if r.p50 {
		return []Metric{P50, CPU, r.metric}
	}
	return []Metric{r.metric, CPU}
}

func (r rate) run(ctx context.Context, b *Bench) (Figures, error) {
	return b.withClient(ctx, func(c Client) (Figures, error) { return r.on(ctx, b, c) })
}

// on runs the measurement with a client.
func (r rate) on(ctx context.Context, b *Bench, c Client) (Figures, error) {
	return b.underLoad(ctx, c, b.count(r.workers), r.begin, func(ctx context.Context, crew *crew) (Figures, error) {
		return b.profiled(func() (Figures, error) { return r.measure(ctx, b, crew) })
	})
}

// measure measures a working crew over the measured interval.
func (r rate) measure(ctx context.Context, b *Bench, crew *crew) (Figures, error) {
	before, err := b.look(proc.Quick)
	if err != nil {
		return nil, err
	}
	steps, began := crew.steps(), time.Now()
	crew.recording.Store(r.p50)
	if err := crew.proceed(ctx, b.Measure); err != nil {
		return nil, err
	}
	crew.recording.Store(false)
	after, err := b.look(proc.Quick)
	if err != nil {
		return nil, err
	}
	n, took := float64(crew.steps()-steps), time.Since(began)
	f := Figures{
		r.metric.Name: n * r.unit / took.Seconds(),
		CPU.Name:      micros(after.CPU-before.CPU) / n,
	}
	if r.p50 {
		f[P50.Name] = micros(stat.Quantile(crew.latencies(), 0.5))
	}
	return f, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
