package proxy_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

// Streams of flowTotal bytes in messages of flowSize. The windows and buffers
// of both protocols bound what is in transit: here grpc-go's windows are
// static, and parley's grow up to 16 MiB.
const (
	flowSize    = 64 << 10
	flowTotal   = 32 << 20
	flowBetween = 20 << 20
)

// flowClient returns a client that reaches impl through a proxy with static
// windows.
func flowClient(t *testing.T, impl *backend) *rpc.Client {
	t.Helper()
	address, _ := listen(t, impl, grpc.StaticStreamWindowSize(64<<10), grpc.StaticConnWindowSize(1<<20))
	conn := connect(t, address, grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(1<<20))
	return front(t, proxy.Config{Routes: []proxy.Route{{Backend: conn}}})
}

// TestASlowCallerSlowsItsBackendDown, and other calls do not wait. The caller
// receives each message only after a call of another method.
func TestASlowCallerSlowsItsBackendDown(t *testing.T) {
	var sent atomic.Int64
	client := flowClient(t, &backend{
		unary: answer,
		output: func(_ *testgrpc.StreamingOutputCallRequest, s outputStream) error {
			msg := &testgrpc.StreamingOutputCallResponse{Payload: payload(string(make([]byte, flowSize)))}
			for range flowTotal / flowSize {
				if err := s.Send(msg); err != nil {
					return err
				}
				sent.Add(flowSize)
			}
			return nil
		},
	})
	s := open(t, client, output)
	send(t, s, "")
	var most, received int64
	for range flowTotal / flowSize {
		if _, err := call(t.Context(), client, "beside"); err != nil {
			t.Fatal(err)
		}
		most = max(most, sent.Load()-received)
		received += int64(len(receive(t, s)))
	}
	wantEnd(t, s)
	if most > flowBetween {
		t.Errorf("%d bytes were under way", most)
	}
}

// TestASlowBackendSlowsItsCallerDown: the backend receives each message only
// after it has served a call of another method.
func TestASlowBackendSlowsItsCallerDown(t *testing.T) {
	var sent atomic.Int64
	var most, received int64
	turn := make(chan struct{})
	client := flowClient(t, &backend{
		unary: answer,
		input: func(s inputStream) error {
			for range turn {
				most = max(most, sent.Load()-received)
				req, err := s.Recv()
				if errors.Is(err, io.EOF) {
					return s.SendAndClose(&testgrpc.StreamingInputCallResponse{})
				}
				if err != nil {
					return err
				}
				received += int64(len(req.GetPayload().GetBody()))
			}
			return nil
		},
	})
	s := open(t, client, input)
	var both errgroup.Group
	both.Go(func() error {
		msg := &testgrpc.StreamingInputCallRequest{Payload: payload(string(make([]byte, flowSize)))}
		for range flowTotal / flowSize {
			if err := s.Send(msg); err != nil {
				return err
			}
			sent.Add(flowSize)
		}
		return s.CloseSend()
	})
	both.Go(func() error {
		for range flowTotal/flowSize + 1 {
			if _, err := call(t.Context(), client, "beside"); err != nil {
				return err
			}
			turn <- struct{}{}
		}
		return nil
	})
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.Recv(new(testgrpc.StreamingInputCallResponse)); err != nil {
		t.Fatal(err)
	}
	if most > flowBetween {
		t.Errorf("%d bytes were under way", most)
	}
}
