package drive

import (
	"context"
	"errors"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// crowded is a rate of calls while many streams are open beside them on the
// same connection, idle. With as many the garbage collector runs seldom, and
// long: it has run before, so that what is measured is not the end of the
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

// rotating is a rate of calls, one at a time, each on the next one of many
// connections. More calls at once would be coalesced where there are few
// connections, and not where there are many.
type rotating struct {
	conns int
}

func (rotating) metrics() []Metric { return []Metric{CPU, CallRate} }

func (w rotating) run(ctx context.Context, b *Bench) (f Figures, err error) {
	clients, err := dialMany(ctx, b, b.count(w.conns))
	if err == nil {
		_, err = b.look(proc.Memory) // collects what the dialling has left
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
