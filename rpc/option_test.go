package rpc_test

import (
	"slices"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

func TestOptionsAreAppliedInOrder(t *testing.T) {
	var r record
	both := rpc.Options(
		rpc.WithHandlerInterceptors(r.recording("handler 1")), rpc.WithHandlerInterceptors(r.recording("handler 2")),
		rpc.WithCallInterceptors(r.recording("call 1")), rpc.WithCallInterceptors(r.recording("call 2")))
	p := newPair(t, []rpc.ServerOption{both}, []rpc.ClientOption{both}, func(srv *rpc.Server) { registerAll(srv, echo) })
	if _, err := converse(t.Context(), p.client, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"call 1 before", "call 2 before", "handler 1 before", "handler 2 before",
		"handler 2 behind OK", "handler 1 behind OK", "call 2 behind OK", "call 1 behind OK",
	}
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
