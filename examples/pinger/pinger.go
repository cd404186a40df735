// Package pinger implements PingService as its .proto says.
package pinger

import (
	"context"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// Service is a pingv1parley.PingServiceServer.
type Service struct {
	pingv1parley.UnimplementedPingServiceServer // still compiles when the .proto gains a method
}

// Ping waits, and then responds or fails, as the request asks.
func (Service) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	if err := pause(ctx, req.DelayMs); err != nil {
		return nil, err
	}
	if req.FailCode > uint32(rpc.CodeUnauthenticated) {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "fail_code %d is none of the codes 1 to 16", req.FailCode)
	}
	if req.FailCode != 0 {
		//snippet:detail
		return nil, rpc.Errorf(rpc.Code(req.FailCode), "failing as asked").
			WithDetail(&pingv1.PingFailure{Text: req.Text, Hint: "leave fail_code out"})
		//snippet:end
	}
	return &pingv1.PingResponse{Text: req.Text}, nil
}

// CountUp is the kind with one request and many responses.
func (Service) CountUp(ctx context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
	for n := uint64(1); n <= req.To; n++ {
		if err := pause(ctx, req.DelayMs); err != nil {
			return err
		}
		if err := out.Send(&pingv1.CountUpResponse{Number: n}); err != nil {
			return err
		}
	}
	return nil
}

// Sum is the kind with many requests and one response.
func (Service) Sum(_ context.Context, in rpc.Receiver[pingv1.SumRequest]) (*pingv1.SumResponse, error) {
	res := new(pingv1.SumResponse)
	for req, err := range in.All() {
		if err != nil {
			return nil, err // the caller has ended the call
		}
		if res.Sum, err = add(res.Sum, req.Number); err != nil {
			return nil, err
		}
		res.Count++
	}
	return res, nil
}

// CumSum is the kind with many messages both ways.
func (Service) CumSum(_ context.Context, in rpc.Receiver[pingv1.CumSumRequest], out rpc.Sender[pingv1.CumSumResponse]) error {
	var sum int64
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		if sum, err = add(sum, req.Number); err != nil {
			return err
		}
		if err := out.Send(&pingv1.CumSumResponse{Sum: sum}); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, unless the call ends first: the caller has canceled it, or its
// deadline has passed.
func pause(ctx context.Context, ms uint32) error {
	if ms == 0 {
		return nil
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func add(a, b int64) (int64, error) {
	sum := a + b
	if (sum > a) != (b > 0) {
		return 0, rpc.Errorf(rpc.CodeOutOfRange, "%d + %d is no int64", a, b)
	}
	return sum, nil
}
