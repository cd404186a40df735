package wan

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
	"github.com/parley-rpc/parley/bench/internal/stat"
)

const smallSize = 100 // bytes of a small payload

func echo(ctx context.Context, c drive.Client, req *benchv1.EchoRequest) error {
	res, err := c.Echo(ctx, req)
	if err != nil {
		return err
	}
	if got, want := len(res.GetPayload()), len(req.GetPayload()); got != want {
		return fmt.Errorf("%w: %d bytes, want %d", drive.ErrAnswer, got, want)
	}
	return nil
}

func newEcho() *benchv1.EchoRequest { return &benchv1.EchoRequest{Payload: service.Payload(smallSize)} }

// firstCall is the time from before the dial to the first response. It is
// repeated for a while.
func firstCall(ctx context.Context, b *bench) (drive.Figures, error) {
	const (
		repeats = 5
		enough  = time.Second
	)
	var took []time.Duration
	for start := time.Now(); len(took) == 0 || len(took) < repeats && time.Since(start) < enough; {
		began := time.Now()
		c, err := b.dial(ctx)
		if err != nil {
			return nil, err
		}
		err = echo(ctx, c, newEcho())
		took = append(took, time.Since(began))
		if err := errors.Join(err, c.Close()); err != nil {
			return nil, err
		}
	}
	return drive.Figures{FirstCall.Name: millis(stat.Quantile(took, 0.5))}, nil
}

// callInterval is how often a small call begins beside a transfer, whether the
// last one has ended or not: a slow call does not hide others.
const callInterval = 10 * time.Millisecond

// smallCalls makes small calls for a time, and returns how long they took.
func smallCalls(ctx context.Context, c drive.Client, d time.Duration) ([]time.Duration, error) {
	var (
		calling sync.WaitGroup
		mu      sync.Mutex
		took    []time.Duration
		errs    []error
	)
	ticker := time.NewTicker(callInterval)
	defer ticker.Stop()
	for start := time.Now(); time.Since(start) < d; {
		calling.Go(func() {
			began := time.Now()
			err := echo(ctx, c, newEcho())
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
			errs = append(errs, err)
		})
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	calling.Wait()
	return took, errors.Join(errs...)
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
