package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/tests/internal/rig"
)

// longestLife is how long, at most, a connection lasts.
const longestLife = 3 * time.Second

// crowd starts and ends clients until ctx ends, and returns their number.
func (s settings) crowd(ctx context.Context, r *rig.Rig, addr string) (came int64, err error) {
	var count atomic.Int64
	var mu sync.Mutex
	var clients sync.WaitGroup
	for i := range s.clients {
		draw := rand.New(rand.NewPCG(s.seed, uint64(i)))
		clients.Go(func() {
			for ctx.Err() == nil {
				if failed := runClient(ctx, r, addr, time.Duration(draw.Int64N(int64(longestLife)))); failed != nil {
					mu.Lock()
					err = errors.Join(err, failed)
					mu.Unlock()
					return
				}
				count.Add(1)
			}
		})
	}
	clients.Wait()
	return count.Load(), err
}

// runClient runs one client, which leaves while calls are in flight.
func runClient(ctx context.Context, r *rig.Rig, addr string, life time.Duration) error {
	// A link that breaks before there is a session cannot be resumed.
	c, err := r.Client(ctx, addr)
	if err != nil {
		return nil //nolint:nilerr // the next tries again
	}
	timer := time.NewTimer(life)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.Close()
}
