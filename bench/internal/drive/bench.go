package drive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/bench/internal/proc"
)

// Server is the server's process, as the client's process sees it.
type Server interface {
	Addr() string
	Look(depth proc.Depth) (proc.Usage, error)
	BeginProfile(base string) error
	EndProfile() error
}

// Bench is the client's side of one measurement, on which a workload runs.
type Bench struct {
	Job
	Target  Target
	Server  Server
	Setup   Setup
	profile proc.Profile
}

// dial connects, and verifies it with a call.
func (b *Bench) dial(ctx context.Context) (Client, error) {
	c, err := b.Target.Dial(ctx, b.Server.Addr(), b.Setup)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if err := echo(ctx, c, newEcho(smallSize)); err != nil {
		return nil, errors.Join(fmt.Errorf("first call: %w", err), c.Close())
	}
	return c, nil
}

// withClient runs f with a client.
func (b *Bench) withClient(ctx context.Context, f func(c Client) (Figures, error)) (Figures, error) {
	c, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	figures, err := f(c)
	return figures, errors.Join(err, c.Close())
}

// underLoad runs f while workers work, once they have warmed up. The ctx of f
// ends when a worker fails, and underLoad returns the worker's error.
func (b *Bench) underLoad(ctx context.Context, c Client, workers int, begin begin,
	f func(ctx context.Context, crew *crew) (Figures, error),
) (figures Figures, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	crew := &crew{cancel: cancel}
	for range workers {
		w, err := begin(ctx, c)
		if err != nil {
			return nil, err
		}
		crew.members = append(crew.members, &member{worker: w})
	}
	crew.start()
	if err = Pause(ctx, b.Warmup); err == nil {
		figures, err = f(ctx, crew)
	}
	crew.stop()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return figures, err
}

// count scales a number of connections, streams or calls.
func (b *Bench) count(n int) int { return max(1, int(float64(n)*b.Scale)) }

// look measures both processes. It costs the same at the beginning and at the
// end of an interval, so its cost cancels out.
func (b *Bench) look(depth proc.Depth) (sum proc.Usage, err error) {
	server, err := b.Server.Look(depth)
	if err != nil {
		return sum, err
	}
	client, err := proc.Look(depth)
	return proc.Usage{
		CPU:       server.CPU + client.CPU,
		Wire:      server.Wire,
		Mallocs:   server.Mallocs + client.Mallocs,
		Allocated: server.Allocated + client.Allocated,
	}, err
}

// profiled runs f, the measured part of a workload. It takes profiles of both
// processes if they are wanted.
func (b *Bench) profiled(f func() (Figures, error)) (Figures, error) {
	if b.Profile == "" {
		return f()
	}
	if err := b.Server.BeginProfile(b.Profile + "-server"); err != nil {
		return nil, err
	}
	if err := b.profile.Begin(b.Profile + "-client"); err != nil {
		return nil, err
	}
	figures, err := f()
	return figures, errors.Join(err, b.profile.End(), b.Server.EndProfile())
}

// Pause waits, unless ctx ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
