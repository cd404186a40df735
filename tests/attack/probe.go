package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// rhythm is how often the client that behaves well makes a call.
const rhythm = 4 * time.Millisecond

// probe makes a small call in each beat of the rhythm for a while, and returns the
// p99 of how long they take.
func probe(ctx context.Context, client *rpc.Client, d time.Duration) (time.Duration, error) {
	tick := time.NewTicker(rhythm)
	defer tick.Stop()
	var took []time.Duration
	var failed error
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; {
		<-tick.C
		began := time.Now()
		_, err := rpc.CallUnary[wrapperspb.BytesValue, wrapperspb.BytesValue](ctx, client, echo,
			wrapperspb.Bytes([]byte("well-behaved")), rpc.WithTimeout(10*time.Second))
		failed = errors.Join(failed, err)
		took = append(took, time.Since(began))
	}
	if len(took) == 0 {
		return 0, errors.Join(errors.New("no call was made"), ctx.Err())
	}
	slices.Sort(took)
	return took[len(took)*99/100], failed
}
