package rpc_test

import (
	"context"
	"testing"

	"github.com/parley-rpc/parley/rpc"
)

// TestRecvEndsWhenTheHandlerReturns: a goroutine that outlives its handler does
// not wait for messages of a call that is over.
func TestRecvEndsWhenTheHandlerReturns(t *testing.T) {
	ended := make(chan error, 1)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, bidi, func(_ context.Context, s rpc.Stream) error {
			waiting := make(chan struct{})
			go func() {
				close(waiting)
				ended <- s.Recv(new(rpc.Raw))
			}()
			<-waiting
			return rpc.CodeAborted
		})
	})
	s, err := p.client.Open(t.Context(), bidi) // and sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantError(t, s.Recv(new(rpc.Raw)), rpc.CodeAborted)
	if err := <-ended; err == nil {
		t.Error("a message was received that was not sent")
	}
}
