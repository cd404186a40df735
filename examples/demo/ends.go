package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/rpc"
)

func (d *demo) deadline(ctx context.Context) error {
	const limit = 200 * time.Millisecond
	d.sent("Ping with a delay of one minute and a deadline of %v", limit)
	begin := time.Now()
	_, err := d.ping.Ping(ctx, &pingv1.PingRequest{Text: "too late", DelayMs: 60_000}, rpc.WithTimeout(limit))
	if err := expectStatus(err, rpc.CodeDeadlineExceeded); err != nil {
		return err
	}
	took := time.Since(begin)
	d.got("%v, after %d ms", err, took.Milliseconds())
	if took < limit || took > stepTimeout/2 {
		return fmt.Errorf("expected that to take about %v, it took %v", limit, took)
	}
	return nil
}

func (d *demo) canceled(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.sent("CountUp to a trillion, one every 10 ms")
	numbers, err := d.ping.CountUp(ctx, &pingv1.CountUpRequest{To: 1e12, DelayMs: 10})
	if err != nil {
		return err
	}
	for want := range uint64(3) {
		n, err := numbers.Recv()
		if err != nil {
			return fmt.Errorf("expected a number, got %s", status(err))
		}
		d.got("%d", n.Number)
		if err := expect("the number", n.Number, want+1); err != nil {
			return err
		}
	}
	d.sent("cancel")
	cancel()
	for err == nil { // a number may be on its way
		_, err = numbers.Recv()
	}
	if err := expectStatus(err, rpc.CodeCanceled); err != nil {
		return err
	}
	d.got("%v", err)
	return nil
}

func (d *demo) failure(ctx context.Context) error {
	d.sent("Ping that is to fail with NOT_FOUND")
	_, err := d.ping.Ping(ctx, &pingv1.PingRequest{Text: "lost", FailCode: uint32(rpc.CodeNotFound)})
	if err := expectStatus(err, rpc.CodeNotFound); err != nil {
		return err
	}
	d.got("%v", err)
	var status *rpc.Error
	if !errors.As(err, &status) {
		return fmt.Errorf("expected an *rpc.Error, got %T", err)
	}
	if err := expect("the number of details", len(status.Details()), 1); err != nil {
		return err
	}
	detail, err := status.Details()[0].UnmarshalNew()
	if err != nil {
		return err
	}
	failure, ok := detail.(*pingv1.PingFailure)
	if !ok {
		return fmt.Errorf("expected the detail to be a PingFailure, got %T", detail)
	}
	d.got("detail: PingFailure about %q, with the hint %q", failure.Text, failure.Hint)
	return expect("the text of the detail", failure.Text, "lost")
}
