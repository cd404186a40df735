package vtproto_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	vtprotov1 "github.com/parley-rpc/parley/tests/vtproto/gen/parley/vtproto/v1"
	"github.com/parley-rpc/parley/tests/vtproto/gen/parley/vtproto/v1/vtprotov1parley"
)

func want(t *testing.T, got *vtprotov1.Order, err error, want *vtprotov1.Order) {
	t.Helper()
	if err != nil || !proto.Equal(got, want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
}

func TestUnaryCallsReturnTheOrder(t *testing.T) {
	c := vtprotov1parley.NewOrderServiceClient(connect(t))
	for _, n := range []int{0, 1, 10, 5000} { // up to 320 KiB
		res, err := c.Place(t.Context(), &vtprotov1.PlaceRequest{Order: order(n)})
		want(t, res.GetOrder(), err, order(n))
	}
}

func TestServerStreamsSendTheOrder(t *testing.T) {
	c := vtprotov1parley.NewOrderServiceClient(connect(t))
	stream, err := c.Watch(t.Context(), &vtprotov1.WatchRequest{Order: order(3), Times: 100})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for res, err := range stream.All() {
		want(t, res.GetOrder(), err, order(3))
		n++
	}
	if n != 100 {
		t.Fatalf("got %d messages", n)
	}
}

func TestClientStreamsReturnTheLastOrder(t *testing.T) {
	c := vtprotov1parley.NewOrderServiceClient(connect(t))
	up, err := c.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		if err := up.Send(&vtprotov1.CollectRequest{Order: order(n)}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := up.CloseAndRecv()
	want(t, res.GetOrder(), err, order(99))
}

func TestBidirectionalStreamsReturnEachOrder(t *testing.T) {
	c := vtprotov1parley.NewOrderServiceClient(connect(t))
	stream, err := c.Trade(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for n := range 100 {
		if err := stream.Send(&vtprotov1.TradeRequest{Order: order(n)}); err != nil {
			t.Fatal(err)
		}
		res, err := stream.Recv()
		want(t, res.GetOrder(), err, order(n))
	}
}
