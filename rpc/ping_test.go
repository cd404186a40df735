package rpc_test

import (
	"context"
	"errors"
	"io"
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

func TestUnaryCallsAnswer(t *testing.T) {
	url, _ := serve(t)
	ping := connect(t, url)
	for range 3 { // the second names the method by its alias
		res, err := ping.Ping(t.Context(), &pingv1.PingRequest{Text: "hello"})
		if err != nil || res.Text != "hello" {
			t.Fatalf("%v, %v", res, err)
		}
	}
}

func TestServerStreamsArriveInOrderAndEnd(t *testing.T) {
	url, _ := serve(t)
	numbers, err := connect(t, url).CountUp(t.Context(), &pingv1.CountUpRequest{To: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var got uint64
	for n, err := range numbers.All() {
		if err != nil {
			t.Fatal(err)
		}
		if got++; n.Number != got {
			t.Fatalf("got %d, want %d", n.Number, got)
		}
	}
	if got != 10_000 {
		t.Fatalf("got %d numbers", got)
	}
}

func TestClientStreamsAreAnsweredOnce(t *testing.T) {
	url, _ := serve(t)
	up, err := connect(t, url).Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		if err := up.Send(&pingv1.SumRequest{Number: i}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := up.CloseAndRecv()
	if err != nil || res.Sum != 499_500 || res.Count != 1000 {
		t.Fatalf("%v, %v", res, err)
	}
}

func TestBidiStreamsTalkBackAndForth(t *testing.T) {
	url, _ := serve(t)
	talk, err := connect(t, url).CumSum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	var want int64
	for i := range int64(100) {
		if err := talk.Send(&pingv1.CumSumRequest{Number: i}); err != nil {
			t.Fatal(err)
		}
		res, err := talk.Recv()
		if want += i; err != nil || res.Sum != want {
			t.Fatalf("%v, %v; want %d", res, err, want)
		}
	}
	if err := talk.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := talk.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the end: %v", err)
	}
}

func TestErrorsTravelWithCodeMessageAndDetails(t *testing.T) {
	url, _ := serve(t)
	_, err := connect(t, url).Ping(t.Context(), &pingv1.PingRequest{Text: "ouch", FailCode: uint32(rpc.CodeNotFound)})
	var e *rpc.Error
	if !errors.Is(err, rpc.CodeNotFound) || !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if e.Message() != "as asked: ouch" || len(e.Details()) != 1 {
		t.Fatalf("message %q, details %v", e.Message(), e.Details())
	}
	d, err := e.Details()[0].UnmarshalNew()
	if f, ok := d.(*pingv1.PingFailure); err != nil || !ok || f.Hint != "ask for less" {
		t.Fatalf("detail %v, %v", d, err)
	}
}

func TestDeadlinesTravel(t *testing.T) {
	url, _ := serve(t)
	_, err := connect(t, url).Ping(t.Context(), &pingv1.PingRequest{DelayMs: 60_000}, rpc.WithTimeout(20*time.Millisecond))
	if !errors.Is(err, rpc.CodeDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}
