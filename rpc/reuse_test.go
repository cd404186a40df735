package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// straggler is a service whose handlers leave goroutines behind that go on
// using their call. They end with it; a handler may start after its caller has
// given up, so that nothing can wait for all of them.
type straggler struct{ pinger }

func (p *straggler) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	call := rpc.FromContext(ctx)
	if err := call.SetHeader("of", req.GetText()); err != nil {
		return nil, err
	}
	go func() {
		_ = call.SendHeader() // in time, too late, or while the call ends
		_ = call.SetTrailer("of", req.GetText())
		<-ctx.Done()
	}()
	return p.pinger.Ping(ctx, req)
}

// TestCallsAtOnceGetTheirOwnAnswers ends calls in several ways at once, while
// their memory is reused for others.
func TestCallsAtOnceGetTheirOwnAnswers(t *testing.T) {
	var service straggler
	p := newPair(t, nil, nil, func(srv *rpc.Server) { pingv1parley.RegisterPingServiceServer(srv, &service) })
	ping := pingv1parley.NewPingServiceClient(p.client)
	var calls sync.WaitGroup
	for worker := range 8 {
		calls.Go(func() {
			random := rand.New(rand.NewPCG(0, uint64(worker)))
			for i := range 300 {
				timeout := time.Minute
				if random.IntN(2) == 0 {
					timeout = time.Duration(random.IntN(2000)) * time.Microsecond
				}
				if err := ownAnswer(ping, fmt.Sprint(worker, i), timeout); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
}

// ownAnswer makes a call, which it may abandon, and checks that the response is
// its own.
func ownAnswer(ping pingv1parley.PingServiceClient, say string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var header rpc.Metadata
	res, err := ping.Ping(ctx, &pingv1.PingRequest{Text: say}, rpc.ReadHeader(&header))
	switch {
	case errors.Is(err, rpc.CodeDeadlineExceeded) && timeout < time.Minute,
		errors.Is(err, rpc.CodeFailedPrecondition): // the straggler was sending the header when the response arrived
		return nil
	case err != nil:
		return err
	case res.GetText() != say || header.Get("of") != say && header != nil:
		return fmt.Errorf("%s was answered by %s with the header of %s", say, res.GetText(), header.Get("of"))
	}
	return nil
}
