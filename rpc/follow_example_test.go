package rpc_test

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

var exampleWatch = &rpc.Method{Service: "example.v1.FeedService", Name: "Watch", ServerStreams: true}

// feedClient is what protoc-gen-go-parley would make for the feed.
type feedClient struct{ rpc.Caller }

func (c feedClient) Watch(ctx context.Context, after *number) (rpc.Receiver[number], error) {
	return rpc.CallServerStream[number, number](ctx, c.Caller, exampleWatch, after)
}

// exampleFeed is numbers without an end, two at a time.
type exampleFeed struct{}

func (exampleFeed) Watch(ctx context.Context, after *number, out rpc.Sender[number]) error {
	next := make(chan uint64, 2)
	next <- after.Value + 1
	next <- after.Value + 2
	//snippet:comeback
	for {
		select {
		case n := <-next:
			if err := out.Send(wrapperspb.UInt64(n)); err != nil {
				return err
			}
		case <-rpc.Draining(ctx):
			return rpc.RetryLater(0) // the caller retries at once
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	//snippet:end
}

// serveExampleFeed makes a server of the feed.
func serveExampleFeed() *rpc.Server {
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	srv.Register(&rpc.Service{Name: exampleWatch.Service, Methods: []rpc.ServiceMethod{
		{Method: exampleWatch, Handler: rpc.ServerStreamHandler(exampleFeed{}.Watch)},
	}})
	return srv
}

// A subscription goes on at another server when its own one drains.
func ExampleFollow() {
	first, second := serveExampleFeed(), serveExampleFeed()
	url, stop := serveExample(first)
	defer stop()
	other, stopOther := serveExample(second)
	defer stopOther()
	client := rpc.NewClient(url, rpc.WithURLs(other))
	defer client.Close()
	ctx, feed := context.Background(), feedClient{client}
	show := func(n uint64) bool {
		if fmt.Println(n); n == 2 {
			go first.Shutdown(ctx) //nolint:errcheck // a deploy
		}
		return n < 4
	}
	//snippet:follow
	numbers := rpc.Follow(ctx, 0, // a cursor: where to begin
		func(ctx context.Context, after uint64) (rpc.Receiver[wrapperspb.UInt64Value], error) {
			return feed.Watch(ctx, wrapperspb.UInt64(after))
		},
		(*wrapperspb.UInt64Value).GetValue) // the cursor of each message: where to go on
	for n, err := range numbers {
		if err != nil {
			return // ctx has ended, or the server has refused
		}
		if !show(n.Value) {
			break // leaving the loop cancels the call
		}
	}
	//snippet:end
	// Output:
	// 1
	// 2
	// 3
	// 4
}
