package pinger_test

import (
	"errors"
	"math"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect starts a server and returns a client of it.
func connect(t *testing.T) pingv1parley.PingServiceClient {
	t.Helper()
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	web := httptest.NewServer(srv)
	client := rpc.NewClient(web.URL)
	t.Cleanup(func() {
		client.Close()
		srv.Close()
		web.Close()
	})
	return pingv1parley.NewPingServiceClient(client)
}

func TestSumsOutOfRangeAreErrors(t *testing.T) {
	ping := connect(t)
	up, err := ping.Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{math.MaxInt64, 1} {
		if err := up.Send(&pingv1.SumRequest{Number: n}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := up.CloseAndRecv(); !errors.Is(err, rpc.CodeOutOfRange) {
		t.Errorf("Sum: got %v", err)
	}

	sums, err := ping.CumSum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	for _, n := range []int64{math.MinInt64, -1} {
		if err := sums.Send(&pingv1.CumSumRequest{Number: n}); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := sums.Recv(); err != nil || res.Sum != math.MinInt64 {
		t.Errorf("CumSum: got %v, %v", res, err)
	}
	if _, err := sums.Recv(); !errors.Is(err, rpc.CodeOutOfRange) {
		t.Errorf("CumSum: got %v", err)
	}
}

func TestNumbersOfBothSignsAndZeroAddUp(t *testing.T) {
	up, err := connect(t).Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, -5, 0, 7, -2, math.MinInt64, math.MaxInt64} {
		if err := up.Send(&pingv1.SumRequest{Number: n}); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := up.CloseAndRecv(); err != nil || res.Sum != -1 || res.Count != 7 {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestCodesThatDoNotExistAreRefused(t *testing.T) {
	_, err := connect(t).Ping(t.Context(), &pingv1.PingRequest{FailCode: 17})
	if !errors.Is(err, rpc.CodeInvalidArgument) {
		t.Errorf("got %v", err)
	}
}

func TestWaitsEndWithTheCall(t *testing.T) {
	ping := connect(t)
	_, err := ping.Ping(t.Context(), &pingv1.PingRequest{DelayMs: 60_000}, rpc.WithTimeout(20*time.Millisecond))
	if !errors.Is(err, rpc.CodeDeadlineExceeded) {
		t.Errorf("Ping: got %v", err)
	}
	numbers, err := ping.CountUp(t.Context(), &pingv1.CountUpRequest{To: 3, DelayMs: 60_000}, rpc.WithTimeout(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := numbers.Recv(); !errors.Is(err, rpc.CodeDeadlineExceeded) {
		t.Errorf("CountUp: got %v", err)
	}
}
