package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/parley-rpc/parley/rpc"
)

// The soak cases. Package interop has them only for grpc's own connections, and
// bounds the time of each call. That would measure the machine, so here a call
// must only succeed.

// soakWorkers goroutines make soakCalls calls each.
const (
	soakWorkers = 4
	soakCalls   = 10
)

// soakRequest is that of a large unary call.
func soakRequest() *testpb.SimpleRequest {
	return &testpb.SimpleRequest{ResponseSize: largeResponse, Payload: payload(largeRequest)}
}

// soak makes the calls. It returns the first error of each worker.
func soak(call func() error) error {
	failed := make([]error, soakWorkers)
	var all sync.WaitGroup
	for w := range failed {
		all.Go(func() {
			for i := range soakCalls {
				if err := call(); err != nil {
					failed[w] = fmt.Errorf("worker %d, call %d: %w", w, i, err)
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

func soakByStubs(ctx context.Context, cc grpc.ClientConnInterface) error {
	res, err := testpb.NewTestServiceClient(cc).UnaryCall(ctx, soakRequest())
	if err != nil {
		return err
	}
	return wantSize(res.GetPayload(), largeResponse)
}

// soakChannels makes each call on a channel of its own.
func soakChannels[C any](ctx context.Context, c channels[C], call func(context.Context, C) error) error {
	return soak(func() error {
		cc, closeIt, err := c.another(ctx)
		if err != nil {
			return err
		}
		return errors.Join(call(ctx, cc), closeIt())
	})
}

func rpcSoakByStubs(ctx context.Context, c channels[grpc.ClientConnInterface]) {
	if err := soak(func() error { return soakByStubs(ctx, c.shared) }); err != nil {
		exit(err)
	}
}

func rpcSoak(ctx context.Context, c channels[rpc.Caller]) error {
	return soak(func() error { return largeUnary(ctx, c.shared) })
}

func channelSoakByStubs(ctx context.Context, c channels[grpc.ClientConnInterface]) {
	if err := soakChannels(ctx, c, soakByStubs); err != nil {
		exit(err)
	}
}

func channelSoak(ctx context.Context, c channels[rpc.Caller]) error {
	return soakChannels(ctx, c, largeUnary)
}
