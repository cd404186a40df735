package drive

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// crowded measures the rate of calls while many idle streams are open on the
// same connection. With so many streams the garbage collector runs rarely, and
// for long. So it runs before the interval, to leave out the garbage of the
// opening, and the interval is longer than in other measurements.
type crowded struct {
	streams int
	rate    rate
}

func (w crowded) metrics() []Metric { return []Metric{CPU, w.rate.metric} }

func (w crowded) run(ctx context.Context, b *Bench) (Figures, error) {
	return b.withClient(ctx, func(c Client) (f Figures, err error) {
		release, err := openMany(ctx, c, b.count(w.streams))
		if err == nil {
			_, err = b.look(proc.Memory)
		}
		if err == nil {
			long := *b
			long.Measure *= 3
			f, err = w.rate.on(ctx, &long, c)
		}
		return f, errors.Join(err, release())
	})
}

// rotating measures the rate of calls, one at a time, each on the next one of
// many connections. Several calls at once would be coalesced with few
// connections, and not with many.
type rotating struct {
	conns int
}

func (rotating) metrics() []Metric { return []Metric{CPU, CallRate} }

func (w rotating) run(ctx context.Context, b *Bench) (f Figures, err error) {
	clients, err := dialMany(ctx, b, b.count(w.conns))
	if err == nil {
		_, err = b.look(proc.Memory) // collects the garbage of the dialling
	}
	if err == nil {
		r := rate{workers: 1, metric: CallRate, unit: 1, begin: func(ctx context.Context, _ Client) (worker, error) {
			req := newEcho(smallSize)
			next := 0
			return worker{step: func() error {
				next = (next + 1) % len(clients)
				return echo(ctx, clients[next], req)
			}}, nil
		}}
		f, err = r.on(ctx, b, clients[0])
	}
	return f, errors.Join(err, closeAll(clients))
}
