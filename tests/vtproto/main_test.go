package vtproto_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/parley-rpc/parley/rpc"
	vtprotov1 "github.com/parley-rpc/parley/tests/vtproto/gen/parley/vtproto/v1"
	"github.com/parley-rpc/parley/tests/vtproto/gen/parley/vtproto/v1/vtprotov1parley"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// orders implements the service.
type orders struct {
	vtprotov1parley.UnimplementedOrderServiceServer
}

func (orders) Place(_ context.Context, req *vtprotov1.PlaceRequest) (*vtprotov1.PlaceResponse, error) {
	return &vtprotov1.PlaceResponse{Order: req.Order}, nil
}

func (orders) Watch(_ context.Context, req *vtprotov1.WatchRequest, out rpc.Sender[vtprotov1.WatchResponse]) error {
	for range req.Times {
		if err := out.Send(&vtprotov1.WatchResponse{Order: req.Order}); err != nil {
			return err
		}
	}
	return nil
}

func (orders) Collect(_ context.Context, in rpc.Receiver[vtprotov1.CollectRequest]) (*vtprotov1.CollectResponse, error) {
	res := new(vtprotov1.CollectResponse)
	for {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return res, nil
		}
		if err != nil {
			return nil, err
		}
		res.Order = req.Order
	}
}

func (orders) Trade(_ context.Context, in rpc.Receiver[vtprotov1.TradeRequest], out rpc.Sender[vtprotov1.TradeResponse]) error {
	for {
		req, err := in.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := out.Send(&vtprotov1.TradeResponse{Order: req.Order}); err != nil {
			return err
		}
	}
}

// connect returns a client of a server that runs until the test ends.
func connect(tb testing.TB, services ...*rpc.Service) *rpc.Client {
	tb.Helper()
	srv := rpc.NewServer()
	vtprotov1parley.RegisterOrderServiceServer(srv, orders{})
	for _, s := range services {
		srv.Register(s)
	}
	web := httptest.NewServer(srv)
	client := rpc.NewClient("ws" + strings.TrimPrefix(web.URL, "http"))
	tb.Cleanup(func() {
		_ = client.Close()
		_ = srv.Close()
		web.Close()
	})
	return client
}

// order returns an order with n items: 67 bytes each.
func order(n int) *vtprotov1.Order {
	o := &vtprotov1.Order{
		Id:       "order-ä",
		Customer: &vtprotov1.Customer{Name: "Ada", Number: 7},
		Labels:   map[string]string{"größe": "XL", "color": "blue"},
		Seal:     []byte("\x00\xff\xfe seal"),
		Placed:   timestamppb.New(time.Unix(1_800_000_000, 5)),
		Payment:  &vtprotov1.Order_Card{Card: "4111"},
		Counts:   []int64{-1, 0, 1 << 40},
		Replaces: []*vtprotov1.Order{{Id: "before", Payment: &vtprotov1.Order_Invoice{Invoice: 9}}},
	}
	for i := range n {
		o.Items = append(o.Items, &vtprotov1.Item{
			Article: "a thing with a name of some fifty bytes, as shops do", Quantity: uint32(i), Price: 1.5,
		})
	}
	return o
}
