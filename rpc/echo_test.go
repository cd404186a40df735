package rpc_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// TestWhatACallerSendsIsNotEchoedAtLength: an error about a name or a message
// contains only its beginning.
func TestWhatACallerSendsIsNotEchoedAtLength(t *testing.T) {
	long := strings.Repeat("x", 5000)
	url, srv := serve(t)
	register(srv, unary, rpc.UnaryHandler(func(_ context.Context, in *wrapperspb.Int64Value) (*wrapperspb.Int64Value, error) { return in, nil }))
	c := dial(t, url)
	call := func(m *rpc.Method, raw rpc.Raw, opts ...rpc.CallOption) error {
		s, err := c.Open(t.Context(), m, opts...)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Send(&raw); err != nil {
			t.Log(err)
		}
		return s.Recv(new(rpc.Raw))
	}
	for name, err := range map[string]error{
		"service": call(&rpc.Method{Service: long, Name: "M"}, nil),
		"method":  call(&rpc.Method{Service: unary.Service, Name: long}, nil),
		"message": call(unary, rpc.Raw(`"`+long+`"`), rpc.WithRawCodec(rpc.CodecJSON)),
	} {
		if err == nil || len(err.Error()) > 1500 {
			t.Errorf("%s: %d bytes: %.300v", name, len(err.Error()), err)
		}
	}
}
