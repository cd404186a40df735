package rpc_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestCallsOfAllConnectionsAreBoundedAndNoneTakesAllOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		srv := rpc.NewServer(rpc.WithLimits(rpc.Limits{MaxCalls: 12}))
		register(srv, unary, echo)
		register(srv, asleep, func(ctx context.Context, _ rpc.Stream) error {
			running.Add(1)
			defer running.Add(-1)
			<-ctx.Done()
			return ctx.Err()
		})
		var peers []*raw
		// No caller gets more than it leaves for the others.
		for _, most := range []uint64{6, 3, 2, 1, 0} {
			p := serveRaw(t, srv)
			peers = append(peers, p)
			for i := range most + 1 {
				p.write(openFrame(2*i+1, methodField(asleep)))
				synctest.Wait()
			}
			p.wantReset(2*most+1, transport.ResetRefused)
		}
		if n := running.Load(); n != 12 {
			t.Errorf("%d handlers run, want 12", n)
		}
		peers[0].write(resetFrame(1, transport.ResetCancel, ""))
		synctest.Wait()
		if n := running.Load(); n != 11 {
			t.Errorf("%d handlers run, want 11", n)
		}
		last := peers[len(peers)-1]
		for id := uint64(3); id < 100; id += 2 { // one after the other they all are served
			last.write(openFrame(id, methodField(unary)), dataFrame(id, frame.FlagEnd, encoded(t, "served")))
			last.skipTo(frame.TypeData, id)
			synctest.Wait()
		}
	})
}
