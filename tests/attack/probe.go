package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// rhythm is how often the client that keeps the rules makes a call.
const rhythm = 4 * time.Millisecond

// probe makes a small call in each rhythm for a while, whether or not the one
// before has been answered. It returns the p99 of their durations.
func probe(ctx context.Context, client *rpc.Client, d time.Duration) (time.Duration, error) {
	var calls sync.WaitGroup
	took := make([]time.Duration, d/rhythm)
	failed := make([]error, len(took))
	begin := time.Now()
	for i := range took {
		pause(ctx, time.Until(begin.Add(time.Duration(i)*rhythm)))
		calls.Go(func() {
			made := time.Now()
			_, failed[i] = rpc.CallUnary[wrapperspb.BytesValue, wrapperspb.BytesValue](ctx, client, echo,
				wrapperspb.Bytes([]byte("well-behaved")), rpc.WithTimeout(10*time.Second))
			took[i] = time.Since(made)
		})
	}
	calls.Wait()
	if len(took) == 0 {
		return 0, errors.Join(errors.New("no call was made"), ctx.Err())
	}
	slices.Sort(took)
	return took[len(took)*99/100], errors.Join(failed...)
}
