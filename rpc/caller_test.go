package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

type value = wrapperspb.StringValue

// generated makes a call as generated code does.
func generated(ctx context.Context, c rpc.Caller, m *rpc.Method, msg *value) error {
	switch m {
	case unary:
		_, err := rpc.CallUnary[value, value](ctx, c, m, msg)
		return err
	case download:
		in, err := rpc.CallServerStream[value, value](ctx, c, m, msg)
		if err != nil {
			return err
		}
		for _, err := range in.All() {
			if err != nil {
				return err
			}
		}
		return nil
	case upload:
		up, err := rpc.CallClientStream[value, value](ctx, c, m)
		if err != nil {
			return err
		}
		defer up.Close()
		if err := up.Send(msg); err != nil && !errors.Is(err, rpc.ErrFinished) {
			return err
		}
		_, err = up.CloseAndRecv()
		return err
	}
	both, err := rpc.CallBidi[value, value](ctx, c, m)
	if err != nil {
		return err
	}
	defer both.Close()
	if err := both.Send(msg); err != nil && !errors.Is(err, rpc.ErrFinished) {
		return err
	}
	if err := both.CloseSend(); err != nil {
		return err
	}
	for _, err := range both.All() {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestGeneratedCallsEndWithTheirStatus(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler rpc.Handler
		code    rpc.Code
	}{
		{"OK", echo, rpc.CodeOK},
		{"an early failure", failing(rpc.CodeDataLoss), rpc.CodeDataLoss},
		{"a panic", panicking, rpc.CodeInternal},
		{"a cancellation", waiting(make(chan struct{}, 100), make(chan error, 100)), rpc.CodeCanceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			var quiet journal
			p := newPair(t, []rpc.ServerOption{rpc.WithLogger(quiet.logger())}, nil, func(srv *rpc.Server) { registerAll(srv, c.handler) })
			for _, m := range kinds {
				for _, size := range []int{1, 1 << 20} { // the large one is still in transit when the call fails early
					ctx, cancel := context.WithCancel(t.Context())
					call := start(func() ([]string, error) { return nil, generated(ctx, p.client, m, text(strings.Repeat("x", size))) })
					if c.code == rpc.CodeCanceled {
						cancel()
					}
					got := <-call
					wantCode(t, got.err, c.code)
					cancel()
					wantError(t, generated(ctx, p.client, m, text("")), rpc.CodeCanceled) // before it begins
				}
			}
			if p.clientConn.Err() != nil {
				t.Fatal(p.clientConn.Err())
			}
		})
	}
}

// TestACallThatEndsWhileItIsOpened ends contexts around Open, with interceptors
// and without.
func TestACallThatEndsWhileItIsOpened(t *testing.T) {
	var r record
	for _, options := range [][]rpc.ClientOption{nil, {rpc.WithCallInterceptors(r.recording("call"))}} {
		p := newPair(t, nil, options, func(srv *rpc.Server) { register(srv, bidi, echo) })
		for range 500 {
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			s, err := p.client.Open(ctx, bidi)
			if err == nil {
				_, err = recvAll(s)
				s.Close()
			}
			wantError(t, err, rpc.CodeCanceled)
			if got := r.take(); options != nil && (len(got) != 2 || got[1] != "call behind CANCELED") {
				t.Fatalf("got %q", got)
			}
		}
	}
}
