package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// callAll makes one call of each kind, and one that fails.
func callAll(ctx context.Context, ping pingv1parley.PingServiceClient, out io.Writer) error {
	for _, call := range []func(context.Context, pingv1parley.PingServiceClient, io.Writer) error{
		unary, serverStream, clientStream, bidi, failing,
	} {
		if err := call(ctx, ping, out); err != nil {
			return err
		}
	}
	return nil
}

func unary(ctx context.Context, ping pingv1parley.PingServiceClient, out io.Writer) error {
	res, err := ping.Ping(ctx, &pingv1.PingRequest{Text: "hello"}, rpc.WithTimeout(5*time.Second))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "Ping:", res.Text)
	return nil
}

func serverStream(ctx context.Context, ping pingv1parley.PingServiceClient, out io.Writer) error {
	//snippet:serverstream
	numbers, err := ping.CountUp(ctx, &pingv1.CountUpRequest{To: 3})
	if err != nil {
		return err
	}
	for n, err := range numbers.All() { // leaving the loop early cancels the call
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "CountUp:", n.Number)
	}
	//snippet:end
	return nil
}

func clientStream(ctx context.Context, ping pingv1parley.PingServiceClient, out io.Writer) error {
	//snippet:clientstream
	sum, err := ping.Sum(ctx)
	if err != nil {
		return err
	}
	defer sum.Close() //nolint:errcheck // cancels the call if Send fails, and does nothing after CloseAndRecv
	for n := range int64(4) {
		if err := sum.Send(&pingv1.SumRequest{Number: n}); err != nil {
			return err
		}
	}
	res, err := sum.CloseAndRecv()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Sum: %d numbers make %d\n", res.Count, res.Sum)
	//snippet:end
	return nil
}

func bidi(ctx context.Context, ping pingv1parley.PingServiceClient, out io.Writer) error {
	//snippet:bidi
	sums, err := ping.CumSum(ctx)
	if err != nil {
		return err
	}
	defer sums.Close() //nolint:errcheck // cancels the call unless it is over
	for n := range int64(4) {
		if err := sums.Send(&pingv1.CumSumRequest{Number: n}); err != nil {
			return err
		}
		res, err := sums.Recv()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "CumSum: after %d it is %d\n", n, res.Sum)
	}
	if err := sums.CloseSend(); err != nil { // the handler's loop ends
		return err
	}
	if _, err = sums.Recv(); !errors.Is(err, io.EOF) { // and it returns OK
		return err
	}
	//snippet:end
	return nil
}

// failing handles an error as a program does: first its code, then its details.
func failing(ctx context.Context, ping pingv1parley.PingServiceClient, out io.Writer) error {
	_, err := ping.Ping(ctx, &pingv1.PingRequest{Text: "hello", FailCode: uint32(rpc.CodeNotFound)})
	if !errors.Is(err, rpc.CodeNotFound) {
		return errors.Join(errors.New("Ping did not fail as asked"), err)
	}
	fmt.Fprintln(out, "Ping:", err)
	var status *rpc.Error
	if !errors.As(err, &status) {
		return err
	}
	for _, packed := range status.Details() {
		detail, err := packed.UnmarshalNew()
		if err != nil {
			return err
		}
		if failure, ok := detail.(*pingv1.PingFailure); ok {
			fmt.Fprintln(out, "Ping: a hint:", failure.Hint)
		}
	}
	return nil
}
