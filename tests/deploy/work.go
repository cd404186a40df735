package main

import (
	"context"
	"sync"
	"time"
)

// work has a caller make calls of all kinds at once, until stop is closed, and
// returns when they are over. A kind ends with an error that excuse takes.
func (c *caller) work(ctx context.Context, stop <-chan struct{}, excuse excuse) {
	var working sync.WaitGroup
	for k := range kinds {
		if k == subscribe {
			working.Go(func() { c.subscribe(ctx, stop, excuse) })
			continue
		}
		working.Go(func() { c.repeat(ctx, k, stop, excuse) })
	}
	working.Wait()
}

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

// never takes no error.
func never(time.Time, error) bool { return false }
