package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

func TestAllKindsOfCallReachTheBackend(t *testing.T) {
	client := through(t, &backend{
		unary:  answer,
		duplex: echo,
		output: func(req *testgrpc.StreamingOutputCallRequest, s outputStream) error {
			for range 3 {
				if err := s.Send(&testgrpc.StreamingOutputCallResponse{Payload: req.GetPayload()}); err != nil {
					return err
				}
			}
			return nil
		},
		input: func(s inputStream) error {
			var size int32
			for {
				req, err := s.Recv()
				if errors.Is(err, io.EOF) {
					return s.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: size})
				}
				if err != nil {
					return err
				}
				size += int32(len(req.GetPayload().GetBody()))
			}
		},
	})
	for range 2 { // on the same connections
		if got, err := call(t.Context(), client, "one"); err != nil || got != "one" {
			t.Fatalf("unary: %q, %v", got, err)
		}

		down := open(t, client, output)
		send(t, down, "many")
		for range 3 {
			if got := receive(t, down); got != "many" {
				t.Fatalf("server streaming: %q", got)
			}
		}
		wantEnd(t, down)

		up := open(t, client, input)
		for range 3 {
			if err := up.Send(&testgrpc.StreamingInputCallRequest{Payload: payload("12345")}); err != nil {
				t.Fatal(err)
			}
		}
		if err := up.CloseSend(); err != nil {
			t.Fatal(err)
		}
		sum := new(testgrpc.StreamingInputCallResponse)
		if err := up.Recv(sum); err != nil || sum.GetAggregatedPayloadSize() != 15 {
			t.Fatalf("client streaming: %v, %v", sum, err)
		}

		both := open(t, client, duplex)
		for _, body := range []string{"a", "", "b"} {
			send(t, both, body)
			if got := receive(t, both); got != body {
				t.Fatalf("bidirectional: %q", got)
			}
		}
		if err := both.CloseSend(); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, both)
	}
}

func wantEnd(t *testing.T, s rpc.Stream) {
	t.Helper()
	if err := s.Recv(new(rpc.Raw)); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want the end", err)
	}
}

func TestStatusesPassWithTheirDetails(t *testing.T) {
	client := through(t, &backend{
		unary: func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			s, err := status.New(codes.FailedPrecondition, "äöü, not yet").WithDetails(wrapperspb.String("later"), wrapperspb.Int32(7))
			if err != nil {
				return nil, err
			}
			return nil, s.Err()
		},
		duplex: func(s duplexStream) error {
			if err := s.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload("first")}); err != nil {
				return err
			}
			return status.Error(codes.DataLoss, "and then")
		},
	})
	_, err := call(t.Context(), client, "")
	var e *rpc.Error
	if !errors.As(err, &e) || e.Code() != rpc.CodeFailedPrecondition || e.Message() != "äöü, not yet" || len(e.Details()) != 2 {
		t.Fatalf("got %v", err)
	}
	detail := new(wrapperspb.StringValue)
	if err := e.Details()[0].UnmarshalTo(detail); err != nil || detail.Value != "later" {
		t.Fatalf("%v, %v", detail, err)
	}

	s := open(t, client, duplex)
	if got := receive(t, s); got != "first" {
		t.Fatalf("got %q", got)
	}
	wantError(t, s.Recv(new(rpc.Raw)), rpc.CodeDataLoss, "and then")

	_, err = rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, &rpc.Method{Service: service, Name: "EmptyCall"}, &testgrpc.Empty{})
	wantError(t, err, rpc.CodeUnimplemented, "EmptyCall")
	_, err = rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, &rpc.Method{Service: "no.Such", Name: "Call"}, &testgrpc.Empty{})
	wantError(t, err, rpc.CodeUnimplemented, "no.Such")
}

func TestDeadlinesReachTheBackend(t *testing.T) {
	got := make(chan time.Duration, 1)
	client := through(t, &backend{unary: func(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
		if deadline, ok := ctx.Deadline(); ok {
			got <- time.Until(deadline)
		} else {
			got <- 0
		}
		return &testgrpc.SimpleResponse{}, nil
	}})
	if _, err := call(t.Context(), client, "", rpc.WithTimeout(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if left := <-got; left < 59*time.Minute || left > time.Hour {
		t.Errorf("of an hour the backend has %v", left)
	}
	if _, err := call(t.Context(), client, ""); err != nil {
		t.Fatal(err)
	}
	if left := <-got; left != 0 {
		t.Errorf("without a deadline the backend has %v", left)
	}
}

func TestACallerThatLeavesIsMissedAtTheBackend(t *testing.T) {
	started, ended := make(chan struct{}), make(chan error, 1)
	client := through(t, &backend{duplex: func(s duplexStream) error {
		close(started)
		<-s.Context().Done()
		ended <- s.Context().Err()
		return nil
	}})
	s := open(t, client, duplex)
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("the backend's context ended with %v", err)
	}
}

func TestABackendMayEndACallWhileItsCallerSends(t *testing.T) {
	client := through(t, &backend{duplex: func(s duplexStream) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		return status.Error(codes.Aborted, "enough")
	}})
	s := open(t, client, duplex)
	for {
		err := s.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload("more")})
		if err == nil {
			continue
		}
		wantError(t, err, rpc.CodeAborted, "enough")
		break
	}
}

func TestAnUnreachableBackendIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // no listener is left there
	target := "dns:///" + l.Addr().String()
	client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: connect(t, target)}}})
	_, err = call(t.Context(), client, "")
	wantError(t, err, rpc.CodeUnavailable, "backend "+target+": ")
	s := open(t, client, duplex)
	wantError(t, s.Recv(new(rpc.Raw)), rpc.CodeUnavailable, "backend "+target+": ")
}

func TestABackendThatIsLostEndsItsCalls(t *testing.T) {
	address, srv := listen(t, &backend{duplex: echo})
	client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
	s := open(t, client, duplex)
	send(t, s, "a")
	receive(t, s)
	srv.Stop()
	wantError(t, s.Recv(new(rpc.Raw)), rpc.CodeUnavailable, "")
}

func TestANameThatIsNoPathIsRefused(t *testing.T) {
	client := through(t, &backend{})
	for _, m := range []*rpc.Method{{Service: "a b", Name: "c"}, {Service: "a", Name: "b/c"}, {Service: "a", Name: "b\r\nc"}, {Service: "ä", Name: "b"}} {
		_, err := rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, m, &testgrpc.Empty{})
		wantError(t, err, rpc.CodeUnimplemented, "malformed name")
	}
}
