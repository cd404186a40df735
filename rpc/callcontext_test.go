package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// inCall runs f in a handler whose call ends by how, and returns when both have ended.
func inCall(t *testing.T, how func(s rpc.Stream), f func(ctx context.Context), opts ...rpc.CallOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begun, done := make(chan bool), make(chan bool)
		p := newPair(t, nil, nil, func(srv *rpc.Server) {
			register(srv, bidi, func(ctx context.Context, _ rpc.Stream) error {
				defer close(done)
				begun <- true
				f(ctx)
				return nil
			})
		})
		s, err := p.client.Open(t.Context(), bidi, opts...)
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		how(s)
		<-done
		s.Close()
	})
}

func closes(s rpc.Stream) { s.Close() }

func leaves(rpc.Stream) {}

func TestContextsMadeFromACallsEndWithIt(t *testing.T) {
	type key struct{}
	inCall(t, closes, func(ctx context.Context) {
		child, cancel := context.WithCancel(context.WithValue(ctx, key{}, "value"))
		defer cancel()
		grandchild, cancel := context.WithTimeout(child, time.Hour)
		defer cancel()
		gone, cancel := context.WithCancel(ctx)
		cancel()
		told := make(chan bool)
		stop := context.AfterFunc(ctx, func() { close(told) })
		unwanted := context.AfterFunc(ctx, func() { t.Error("it was stopped") })
		if !unwanted() || unwanted() {
			t.Error("the first stop prevents, the second has nothing to")
		}
		stacks := make([]byte, 1<<20)
		if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("propagateCancel")) {
			t.Errorf("a goroutine watches the context:\n%s", stacks)
		}
		if gone.Err() == nil || child.Err() != nil || ctx.Err() != nil {
			t.Errorf("%v, %v, %v: a child's end is its own", gone.Err(), child.Err(), ctx.Err())
		}

		<-grandchild.Done()
		<-told
		for _, c := range []context.Context{ctx, child, grandchild} {
			if !errors.Is(c.Err(), context.Canceled) || !errors.Is(context.Cause(c), context.Canceled) {
				t.Errorf("%v, because %v", c.Err(), context.Cause(c))
			}
		}
		if stop() {
			t.Error("what was called was prevented")
		}
		if late, cancel := context.WithCancel(ctx); late.Err() == nil {
			t.Error("a context made after the end goes on")
			cancel()
		}
		if child.Value(key{}) != "value" || rpc.FromContext(grandchild) != rpc.FromContext(ctx) {
			t.Error("values are lost")
		}
	})
}

func TestACallsContextHasItsDeadline(t *testing.T) {
	inCall(t, leaves, func(ctx context.Context) {
		deadline, ok := ctx.Deadline()
		if left := time.Until(deadline); !ok || left != time.Second {
			t.Errorf("%v left, %v", left, ok)
		}
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		<-child.Done()
		if late := time.Since(deadline); late != 0 || !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("%v after the deadline: %v, %v", late, child.Err(), ctx.Err())
		}
	}, rpc.WithTimeout(time.Second))
	inCall(t, leaves, func(ctx context.Context) {
		if deadline, ok := ctx.Deadline(); ok {
			t.Errorf("a call without a deadline ends at %v", deadline)
		}
	})
}

func TestACallsContextEndsWithItsHandler(t *testing.T) {
	var kept context.Context
	inCall(t, leaves, func(ctx context.Context) { kept = ctx })
	select {
	case <-kept.Done():
	default:
		t.Error("it goes on")
	}
	if after := context.AfterFunc(kept, func() {}); after() {
		t.Error("a call that is over can be waited for")
	}
}
