package main

import (
	"context"
	"sync"
	"time"
)

// work makes calls of all kinds at once until stop is closed, and returns when
// they are over. A kind stops early at an error that excuse accepts.
func (c *caller) work(ctx context.Context, stop <-chan struct{}, excuse excuse) {
	var working sync.WaitGroup
	for k := range kinds {
		switch k {
		case subscribe:
			working.Go(func() { c.subscribe(ctx, stop, excuse) })
		case look:
			working.Go(func() { c.steadily(ctx, k, stop, excuse) })
		default:
			working.Go(func() { c.repeat(ctx, k, stop, excuse) })
		}
	}
	working.Wait()
}

// steadily starts a call at each tick, whether or not earlier ones are over. So
// some start while others hang.
func (c *caller) steadily(ctx context.Context, k kind, stop <-chan struct{}, excuse excuse) {
	tick := time.NewTicker(10 * c.pace)
	defer tick.Stop()
	var working sync.WaitGroup
	defer working.Wait()
	for {
		select {
		case <-tick.C:
			working.Go(func() { c.call(ctx, k, excuse) })
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

// repeat makes one call after the other.
func (c *caller) repeat(ctx context.Context, k kind, stop <-chan struct{}, excuse excuse) {
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		if !c.call(ctx, k, excuse) || pause(ctx, c.pace) != nil {
			return
		}
	}
}

// never accepts no error.
func never(time.Time, error) bool { return false }
