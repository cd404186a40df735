package rpc_test

import (
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

func TestOpenUnaryReturnsTheStreamOfItsCall(t *testing.T) {
	var r record
	for name, opts := range map[string][]rpc.ClientOption{
		"plain": nil, "intercepted": {rpc.WithCallInterceptors(r.recording("call"))},
	} {
		p := newPair(t, nil, opts, func(srv *rpc.Server) { register(srv, unary, echo) })
		for _, c := range []rpc.Caller{p.client, p.clientConn, open{p.client}} {
			s, err := rpc.OpenUnary(t.Context(), c, unary, text("hello"), rpc.WithMetadata("a", "1"))
			if err != nil {
				t.Fatal(err)
			}
			res := new(wrapperspb.StringValue)
			if err := s.Recv(res); err != nil || s.Call().Header().Get("a") != "1" || s.Call().Peer.Protocol != "test" {
				t.Errorf("%s: %v, header %v, peer %+v", name, err, s.Call().Header(), s.Call().Peer)
			}
			if err := s.Recv(res); !errors.Is(err, io.EOF) {
				t.Errorf("%s: the next Recv: %v", name, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestOpenUnaryReturnsNoStreamOfACallThatWasNotOpened(t *testing.T) {
	p := newPair(t, nil, nil, nil)
	if s, err := rpc.OpenUnary(t.Context(), p.client, unary, "no message"); s != nil || rpc.CodeOf(err) != rpc.CodeInternal {
		t.Errorf("%v, %v", s, err)
	}
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := rpc.OpenUnary(t.Context(), p.client, unary, text("late")); s != nil || rpc.CodeOf(err) != rpc.CodeCanceled {
		t.Errorf("%v, %v", s, err)
	}
}
