package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestCallsFailAtBothEndsWithTheReasonOfEnd(t *testing.T) {
	for _, reason := range []string{"the client has moved", strings.Repeat("é", transport.MaxReason)} {
		p := newInProcess(t)
		services := rpc.NewMux()
		pingv1parley.RegisterPingServiceServer(services, pinger{})
		client := p.client(t, rpc.WithServices(services))
		up, err := pingv1parley.NewPingServiceClient(client).CumSum(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := up.Send(&pingv1.CumSumRequest{Number: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := up.Recv(); err != nil {
			t.Fatal(err)
		}
		c := p.srv.Conns()[0]
		down, err := pingv1parley.NewPingServiceClient(c).CumSum(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.End(rpc.Errorf(rpc.CodeUnavailable, "%s", reason)); err != nil {
			t.Error(err)
		}
		_ = c.End(rpc.Errorf(rpc.CodeAborted, "too late"))
		_, of := up.Recv()
		_, to := down.Recv()
		_, later := pingv1parley.NewPingServiceClient(c).Ping(t.Context(), new(pingv1.PingRequest))
		for what, err := range map[string]error{"of the client": of, "to the client": to, "to the client, later": later, "of the connection": c.Err()} {
			if !errors.Is(err, rpc.CodeUnavailable) || !strings.Contains(err.Error(), reason[:20]) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := pingv1parley.NewPingServiceClient(client).Ping(t.Context(), new(pingv1.PingRequest)); err != nil {
			t.Errorf("the next call does not reconnect: %v", err)
		}
	}
}
