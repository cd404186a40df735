package rpc_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// benchClient returns a client of a server in this process, over a real socket.
// Each has the options that are its own.
func benchClient(b *testing.B, opts ...any) pingv1parley.PingServiceClient {
	b.Helper()
	var server []rpc.ServerOption
	var client []rpc.ClientOption
	for _, o := range opts {
		if o, ok := o.(rpc.ServerOption); ok {
			server = append(server, o)
		}
		if o, ok := o.(rpc.ClientOption); ok {
			client = append(client, o)
		}
	}
	srv := rpc.NewServer(server...)
	pingv1parley.RegisterPingServiceServer(srv, pinger{})
	web := httptest.NewServer(srv)
	c := rpc.NewClient("ws"+strings.TrimPrefix(web.URL, "http"), client...)
	b.Cleanup(func() {
		_ = c.Close()
		_ = srv.Close()
		web.Close()
	})
	return pingv1parley.NewPingServiceClient(c)
}

func BenchmarkUnary(b *testing.B) {
	for _, inFlight := range []int{1, 64, 1000, 4000} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) { benchUnary(b, inFlight, benchClient(b)) })
	}
}

// BenchmarkEquipped is BenchmarkUnary with a deadline, two pairs of metadata,
// and an interceptor at each end.
func BenchmarkEquipped(b *testing.B) {
	passing := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error { return next(ctx, s) })
	for _, inFlight := range []int{64, 1000} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			ping := benchClient(b, rpc.WithCallInterceptors(passing), rpc.WithHandlerInterceptors(passing))
			benchCalls(b, inFlight, ping, rpc.WithTimeout(time.Minute), rpc.WithMetadata("tenant", "acme"), rpc.WithMetadata("request-id", "0123456789"))
		})
	}
}

// BenchmarkResumption measures the cost of keeping frames for retransmission.
func BenchmarkResumption(b *testing.B) {
	b.Run("on", func(b *testing.B) { benchUnary(b, 64, benchClient(b)) })
	b.Run("off", func(b *testing.B) { benchUnary(b, 64, benchClient(b, rpc.WithoutResumption())) })
}

// benchUnary keeps a number of unary calls in flight.
func benchUnary(b *testing.B, inFlight int, ping pingv1parley.PingServiceClient) {
	b.Helper()
	benchCalls(b, inFlight, ping)
}

func benchCalls(b *testing.B, inFlight int, ping pingv1parley.PingServiceClient, opts ...rpc.CallOption) {
	b.Helper()
	req := &pingv1.PingRequest{Text: strings.Repeat("x", 100)}
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, inFlight)
	for range inFlight {
		go func() {
			for left.Add(-1) >= 0 {
				if _, err := ping.Ping(b.Context(), req, opts...); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range inFlight {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkServerStream(b *testing.B) {
	ping := benchClient(b)
	b.ReportAllocs()
	numbers, err := ping.CountUp(b.Context(), &pingv1.CountUpRequest{To: uint64(b.N)})
	if err != nil {
		b.Fatal(err)
	}
	for _, err := range numbers.All() {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPingPong(b *testing.B) {
	talk, err := benchClient(b).CumSum(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer talk.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := talk.Send(&pingv1.CumSumRequest{Number: 1}); err != nil {
			b.Fatal(err)
		}
		if _, err := talk.Recv(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLargeEcho sends a message of 1 MiB and receives it back.
func BenchmarkLargeEcho(b *testing.B) {
	ping := benchClient(b)
	req := &pingv1.PingRequest{Text: strings.Repeat("x", 1<<20)}
	b.SetBytes(2 << 20)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ping.Ping(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIntercepted is BenchmarkUnary of one caller, with an interceptor at
// each end.
func BenchmarkIntercepted(b *testing.B) {
	pass := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error { return next(ctx, s) }
	}
	ping := benchClient(b, rpc.WithCallInterceptors(pass), rpc.WithHandlerInterceptors(pass))
	req := &pingv1.PingRequest{Text: strings.Repeat("x", 100)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ping.Ping(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClientStream(b *testing.B) {
	up, err := benchClient(b).Sum(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer up.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := up.Send(&pingv1.SumRequest{Number: 1}); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := up.CloseAndRecv(); err != nil {
		b.Fatal(err)
	}
}
