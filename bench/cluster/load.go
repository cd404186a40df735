package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/gen/bench/v1/benchv1parley"
	"github.com/parley-rpc/parley/bench/internal/service"
	"github.com/parley-rpc/parley/bench/internal/stat"
	"github.com/parley-rpc/parley/rpc"
)

const (
	payloadSize = 100
	// warmUp comes before the measured interval.
	warmUp = 300 * time.Millisecond
)

// load is what a caller does for a while.
type load struct {
	Workers int           // that call Echo, one call after the other; 0: one stream is received
	For     time.Duration // the measured interval
}

// run measures the load on a caller.
func (l load) run(ctx context.Context, c rpc.Caller) (rate, error) {
	ctx, cancel := context.WithTimeout(ctx, l.For+warmUp+10*time.Second)
	defer cancel()
	stub := benchv1parley.NewBenchServiceClient(c)
	if l.Workers == 0 {
		return l.stream(ctx, stub)
	}
	return l.calls(ctx, stub)
}

// calls calls Echo with all workers.
func (l load) calls(ctx context.Context, stub benchv1parley.BenchServiceClient) (rate, error) {
	var (
		begin     = time.Now().Add(warmUp)
		end       = begin.Add(l.For)
		failures  = make([]error, l.Workers)
		latencies = make([][]time.Duration, l.Workers)
		all       sync.WaitGroup
	)
	for i := range l.Workers {
		all.Go(func() {
			req := &benchv1.EchoRequest{Payload: service.Payload(payloadSize)}
			for {
				called := time.Now()
				if called.After(end) {
					return
				}
				res, err := stub.Echo(ctx, req)
				if err == nil && len(res.GetPayload()) != payloadSize {
					err = fmt.Errorf("an answer of %d bytes", len(res.GetPayload()))
				}
				if err != nil {
					failures[i] = err
					return
				}
				if called.After(begin) {
					latencies[i] = append(latencies[i], time.Since(called))
				}
			}
		})
	}
	all.Wait()
	var sum []time.Duration
	for i := range l.Workers {
		if failures[i] != nil {
			return rate{}, failures[i]
		}
		sum = append(sum, latencies[i]...)
	}
	return rate{float64(len(sum)) / l.For.Seconds(), stat.Quantile(sum, 0.5), stat.Quantile(sum, 0.99)}, nil
}

// stream counts the messages of a download.
func (l load) stream(ctx context.Context, stub benchv1parley.BenchServiceClient) (rate, error) {
	in, err := stub.Download(ctx, &benchv1.DownloadRequest{Size: payloadSize})
	if err != nil {
		return rate{}, err
	}
	var received atomic.Uint64
	var failure error
	var receiving sync.WaitGroup
	receiving.Go(func() {
		for {
			res, err := in.Recv()
			if err != nil {
				failure = err
				return
			}
			if len(res.GetPayload()) != payloadSize {
				failure = fmt.Errorf("a message of %d bytes", len(res.GetPayload()))
				return
			}
			received.Add(1)
		}
	})
	<-time.After(warmUp)
	before, began := received.Load(), time.Now()
	<-time.After(l.For)
	for ctx.Err() == nil && received.Load() == before { // a busy machine
		time.Sleep(time.Millisecond)
	}
	count, took := received.Load()-before, time.Since(began)
	_ = in.Close()
	receiving.Wait()
	if count == 0 {
		return rate{}, fmt.Errorf("nothing was received: %w", failure)
	}
	return rate{PerSecond: float64(count) / took.Seconds()}, nil
}
