package main

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/examples/pinger"
	"github.com/parley-rpc/parley/examples/reverse/hub"
	agentv1 "github.com/parley-rpc/parley/gen/parley/agent/v1"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// faulty is PingService, except for the methods that a fault replaces.
type faulty struct {
	pinger.Service
	ping    func(context.Context, *pingv1.PingRequest) (*pingv1.PingResponse, error)
	countUp func(context.Context, *pingv1.CountUpRequest, rpc.Sender[pingv1.CountUpResponse]) error
	sum     func(context.Context, rpc.Receiver[pingv1.SumRequest]) (*pingv1.SumResponse, error)
	cumSum  func(context.Context, rpc.Receiver[pingv1.CumSumRequest], rpc.Sender[pingv1.CumSumResponse]) error
}

func (f *faulty) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	if f.ping == nil {
		return f.Service.Ping(ctx, req)
	}
	return f.ping(ctx, req)
}

func (f *faulty) CountUp(ctx context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
	if f.countUp == nil {
		return f.Service.CountUp(ctx, req, out)
	}
	return f.countUp(ctx, req, out)
}

func (f *faulty) Sum(ctx context.Context, in rpc.Receiver[pingv1.SumRequest]) (*pingv1.SumResponse, error) {
	if f.sum == nil {
		return f.Service.Sum(ctx, in)
	}
	return f.sum(ctx, in)
}

func (f *faulty) CumSum(ctx context.Context, in rpc.Receiver[pingv1.CumSumRequest], out rpc.Sender[pingv1.CumSumResponse]) error {
	if f.cumSum == nil {
		return f.Service.CumSum(ctx, in, out)
	}
	return f.cumSum(ctx, in, out)
}

// liar is a hub that invents the readings.
type liar struct {
	agentv1parley.UnimplementedHubServiceServer
}

func (liar) WatchAgent(_ context.Context, req *agentv1.WatchAgentRequest, out rpc.Sender[agentv1.WatchAgentResponse]) error {
	for n := range req.Watch.Count {
		if err := out.Send(&agentv1.WatchAgentResponse{Reading: &agentv1.Reading{Number: n + 1}}); err != nil {
			return err
		}
	}
	return nil
}

// listen starts a server of ping, with an honest hub unless another one is
// given.
func listen(t *testing.T, ping pingv1parley.PingServiceServer, other agentv1parley.HubServiceServer) (url string) {
	t.Helper()
	srv := hub.NewServer()
	if other != nil {
		srv = rpc.NewServer()
		agentv1parley.RegisterHubServiceServer(srv, other)
	}
	pingv1parley.RegisterPingServiceServer(srv, ping)
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		srv.Close()
		web.Close()
	})
	return web.URL
}

// fault is a server that does not behave as a step expects.
type fault struct {
	step, want string
	ping       faulty
	hub        agentv1parley.HubServiceServer // nil: an honest one
}

// faults has one fault for each step that depends on the server.
func faults() []fault {
	var oneByOne sync.Mutex
	return []fault{
		{step: "step 1", want: `expected the answer to be hello over there, got what?`, ping: faulty{
			ping: func(context.Context, *pingv1.PingRequest) (*pingv1.PingResponse, error) {
				return &pingv1.PingResponse{Text: "what?"}, nil
			},
		}},
		{step: "step 2", want: "expected the last number to be 4, got 3", ping: faulty{
			countUp: func(ctx context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
				req.To--
				return pinger.Service{}.CountUp(ctx, req, out)
			},
		}},
		{step: "step 3", want: "expected the sum to be 100, got 101", ping: faulty{
			sum: func(ctx context.Context, in rpc.Receiver[pingv1.SumRequest]) (*pingv1.SumResponse, error) {
				res, err := pinger.Service{}.Sum(ctx, in)
				if err == nil {
					res.Sum++
				}
				return res, err
			},
		}},
		{step: "step 4", want: "expected the stream to end with OK, got another message", ping: faulty{
			cumSum: func(ctx context.Context, in rpc.Receiver[pingv1.CumSumRequest], out rpc.Sender[pingv1.CumSumResponse]) error {
				if err := (pinger.Service{}).CumSum(ctx, in, out); err != nil {
					return err
				}
				return out.Send(&pingv1.CumSumResponse{})
			},
		}},
		{step: "step 5", want: "expected the call to end with DEADLINE_EXCEEDED, got ABORTED", ping: faulty{
			ping: func(_ context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
				if req.DelayMs > 0 {
					return nil, rpc.CodeAborted
				}
				return &pingv1.PingResponse{Text: req.Text}, nil
			},
		}},
		{step: "step 6", want: "expected a number, got its end, with OK", ping: faulty{
			countUp: func(ctx context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
				if req.To > 100 {
					req.To = 2
				}
				return pinger.Service{}.CountUp(ctx, req, out)
			},
		}},
		{step: "step 7", want: "expected the number of details to be 1, got 0", ping: faulty{
			ping: func(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
				if req.FailCode != 0 {
					return nil, rpc.Code(req.FailCode)
				}
				return pinger.Service{}.Ping(ctx, req)
			},
		}},
		{step: "step 8", want: "expected the number of calls that the server has made to be 1, got 0", hub: liar{}},
		{step: "step 9", want: "expected A and B to interleave, got the order ", ping: faulty{
			countUp: func(ctx context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
				oneByOne.Lock()
				defer oneByOne.Unlock()
				return pinger.Service{}.CountUp(ctx, req, out)
			},
		}},
	}
}

func TestEachStepFailsIfItDoesNotHappen(t *testing.T) {
	cases := faults()
	if len(cases) != len(steps)-1 {
		t.Fatalf("%d faults for %d steps", len(cases), len(steps))
	}
	for _, c := range cases {
		t.Run(c.step, func(t *testing.T) {
			t.Parallel()
			err := client(t.Context(), listen(t, &c.ping, c.hub), io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), c.step+" failed: "+c.want) {
				t.Errorf("got %v, want %s failed: %s", err, c.step, c.want)
			}
		})
	}
}

func TestLastStepFailsIfThereWasASecondConnection(t *testing.T) {
	d := &demo{transcript: transcript{out: io.Discard}}
	d.connections.Add(2)
	err := d.oneConnection(t.Context())
	if want := "expected the number of connections to be 1, got 2"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
