package vtproto_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
	vtprotov1 "github.com/parley-rpc/parley/tests/vtproto/gen/parley/vtproto/v1"
)

// form is an order with its methods of vtprotobuf, or without.
type form func(*vtprotov1.Order) proto.Message

func withVT(o *vtprotov1.Order) proto.Message { return o }

func withoutVT(o *vtprotov1.Order) proto.Message { return plain{o} }

// compare measures what prepare returns for both forms in turns, so that other
// load of the machine meets both alike. It reports medians and their ratio, for
// orders of 0.1, 1.1 and 60 KiB.
func compare(b *testing.B, prepare func(b *testing.B, o *vtprotov1.Order, as form) func() error) {
	for _, items := range []int{0, 16, 900} {
		b.Run(fmt.Sprintf("bytes=%d", proto.Size(order(items))), func(b *testing.B) {
			names := []string{"proto", "vt"}
			work := []func() error{prepare(b, order(items), withoutVT), prepare(b, order(items), withVT)}
			var times [2][]time.Duration
			for b.Loop() {
				for i, f := range work {
					start := time.Now()
					if err := f(); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start))
				}
			}
			var medians [2]float64
			for i, name := range names {
				slices.Sort(times[i])
				medians[i] = float64(times[i][len(times[i])/2])
				b.ReportMetric(medians[i], name+"-ns")
				b.ReportMetric(testing.AllocsPerRun(100, func() { _ = work[i]() }), name+"-allocs")
			}
			b.ReportMetric(medians[1]/medians[0], "vt/proto")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	compare(b, func(_ *testing.B, o *vtprotov1.Order, as form) func() error {
		buf, msg := make([]byte, 0, 1<<20), as(o)
		return func() error {
			_, err := codec.MarshalAppend(buf, msg)
			return err
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	compare(b, func(b *testing.B, o *vtprotov1.Order, as form) func() error {
		data, err := proto.Marshal(o)
		if err != nil {
			b.Fatal(err)
		}
		return func() error { return codec.Unmarshal(data, as(new(vtprotov1.Order))) }
	})
}

// BenchmarkTrade sends an order over a real WebSocket and gets it back: four
// times a message is encoded or decoded.
func BenchmarkTrade(b *testing.B) {
	compare(b, func(b *testing.B, o *vtprotov1.Order, as form) func() error {
		s, err := connect(b, echo(as)).Open(b.Context(), echoMethod)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return func() error {
			if err := s.Send(as(o)); err != nil {
				return err
			}
			return s.Recv(as(new(vtprotov1.Order)))
		}
	})
}

var echoMethod = &rpc.Method{Service: "parley.vtproto.v1.Echo", Name: "Echo", ClientStreams: true, ServerStreams: true}

// echo returns a service whose method returns each order.
func echo(as form) *rpc.Service {
	handler := func(_ context.Context, s rpc.Stream) error {
		for {
			o := new(vtprotov1.Order)
			if err := s.Recv(as(o)); err != nil {
				return err
			}
			if err := s.Send(as(o)); err != nil {
				return err
			}
		}
	}
	return &rpc.Service{Name: echoMethod.Service, Methods: []rpc.ServiceMethod{{Method: echoMethod, Handler: handler}}}
}
