package rpc_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// pinger serves PingService as its .proto says.
type pinger struct {
	pingv1parley.UnimplementedPingServiceServer
}

func (pinger) Ping(ctx context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	if req.DelayMs > 0 {
		select {
		case <-time.After(time.Duration(req.DelayMs) * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if req.FailCode != 0 {
		return nil, rpc.Errorf(rpc.Code(req.FailCode), "as asked: %s", req.Text).
			WithDetail(&pingv1.PingFailure{Text: req.Text, Hint: "ask for less"})
	}
	return &pingv1.PingResponse{Text: req.Text}, nil
}

func (pinger) CountUp(_ context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
	for i := range req.To {
		if err := out.Send(&pingv1.CountUpResponse{Number: i + 1}); err != nil {
			return err
		}
	}
	return nil
}

func (pinger) Sum(_ context.Context, in rpc.Receiver[pingv1.SumRequest]) (*pingv1.SumResponse, error) {
	res := new(pingv1.SumResponse)
	for req, err := range in.All() {
		if err != nil {
			return nil, err
		}
		res.Sum += req.Number
		res.Count++
	}
	return res, nil
}

func (pinger) CumSum(_ context.Context, in rpc.Receiver[pingv1.CumSumRequest], out rpc.Sender[pingv1.CumSumResponse]) error {
	var sum int64
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		sum += req.Number
		if err := out.Send(&pingv1.CumSumResponse{Sum: sum}); err != nil {
			return err
		}
	}
	return nil
}

// serve starts a server of PingService on a real socket and returns its URL.
func serve(t *testing.T, opts ...rpc.ServerOption) (url string, srv *rpc.Server) {
	t.Helper()
	srv = rpc.NewServer(opts...)
	pingv1parley.RegisterPingServiceServer(srv, pinger{})
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		_ = srv.Close()
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http"), srv
}

// connect returns a client of a server at url.
func connect(t *testing.T, url string, opts ...rpc.ClientOption) pingv1parley.PingServiceClient {
	t.Helper()
	client := rpc.NewClient(url, opts...)
	t.Cleanup(func() { _ = client.Close() })
	return pingv1parley.NewPingServiceClient(client)
}

// dial returns a new connection to a server at url.
func dial(t *testing.T, url string, opts ...rpc.ClientOption) *rpc.Conn {
	t.Helper()
	conn, err := rpc.Dial(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
