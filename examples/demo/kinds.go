package main

import (
	"context"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
)

func (d *demo) unary(ctx context.Context) error {
	const text = "hello over there"
	d.sent("Ping %q", text)
	res, err := d.ping.Ping(ctx, &pingv1.PingRequest{Text: text})
	if err != nil {
		return err
	}
	d.got("%q", res.Text)
	return expect("the answer", res.Text, text)
}

func (d *demo) serverStream(ctx context.Context) error {
	d.sent("CountUp to 4")
	numbers, err := d.ping.CountUp(ctx, &pingv1.CountUpRequest{To: 4})
	if err != nil {
		return err
	}
	var last uint64
	for n, err := range numbers.All() {
		if err != nil {
			return err
		}
		d.got("%d", n.Number)
		if err := expect("the number", n.Number, last+1); err != nil {
			return err
		}
		last = n.Number
	}
	d.got("the end")
	return expect("the last number", last, 4)
}

func (d *demo) clientStream(ctx context.Context) error {
	d.sent("Sum")
	sum, err := d.ping.Sum(ctx)
	if err != nil {
		return err
	}
	defer sum.Close() //nolint:errcheck // an error of Send ends the step
	for n := int64(10); n <= 40; n += 10 {
		d.sent("%d", n)
		if err := sum.Send(&pingv1.SumRequest{Number: n}); err != nil {
			return err
		}
	}
	d.sent("the end")
	res, err := sum.CloseAndRecv()
	if err != nil {
		return err
	}
	d.got("%d numbers make %d", res.Count, res.Sum)
	if err := expect("the count", res.Count, 4); err != nil {
		return err
	}
	return expect("the sum", res.Sum, 100)
}

func (d *demo) bidi(ctx context.Context) error {
	d.sent("CumSum")
	sums, err := d.ping.CumSum(ctx)
	if err != nil {
		return err
	}
	defer sums.Close() //nolint:errcheck // the step ends
	for n := int64(1); n <= 4; n++ {
		d.sent("%d", n)
		if err := sums.Send(&pingv1.CumSumRequest{Number: n}); err != nil {
			return err
		}
		res, err := sums.Recv()
		if err != nil {
			return err
		}
		d.got("%d so far", res.Sum)
		if err := expect("the sum so far", res.Sum, n*(n+1)/2); err != nil {
			return err
		}
	}
	d.sent("the end")
	if err := sums.CloseSend(); err != nil {
		return err
	}
	_, err = sums.Recv()
	if err := expectEnd(err); err != nil {
		return err
	}
	d.got("the end")
	return nil
}
