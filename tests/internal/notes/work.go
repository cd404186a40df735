package notes

import (
	"context"
	"sync"
	"time"
)

// Work makes calls of all kinds at once until stop is closed, and returns when
// they are over. A kind stops early at an error that excuse accepts.
func (c *Caller) Work(ctx context.Context, stop <-chan struct{}, excuse Excuse) {
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
func (c *Caller) steadily(ctx context.Context, k Kind, stop <-chan struct{}, excuse Excuse) {
	tick := time.NewTicker(10 * c.Pace)
	defer tick.Stop()
	var working sync.WaitGroup
	defer working.Wait()
	for {
		select {
		case <-tick.C:
			working.Go(func() { c.Call(ctx, k, excuse) })
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

// repeat makes one call after the other.
func (c *Caller) repeat(ctx context.Context, k Kind, stop <-chan struct{}, excuse Excuse) {
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		if !c.Call(ctx, k, excuse) || Pause(ctx, c.Pace) != nil {
			return
		}
	}
}

// Never accepts no error.
func Never(time.Time, error) bool { return false }
