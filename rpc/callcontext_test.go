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

// inCall runs f in a handler, and returns when it has ended. The caller closes
// the call once f has called leave.
func inCall(t *testing.T, f func(ctx context.Context, leave func()), opts ...rpc.CallOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		left, done := make(chan bool, 1), make(chan bool)
		p := newPair(t, nil, nil, func(srv *rpc.Server) {
			register(srv, bidi, func(ctx context.Context, _ rpc.Stream) error {
				defer close(done)
				f(ctx, func() { left <- true })
				return nil
			})
		})
		s, err := p.client.Open(t.Context(), bidi, opts...)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-left:
			s.Close()
			<-done
		case <-done:
			s.Close()
		}
	})
}

func TestContextsMadeFromACallsEndWithIt(t *testing.T) {
	type key struct{}
	inCall(t, func(ctx context.Context, leave func()) {
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

		leave()
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
		late, cancel := context.WithCancel(ctx)
		defer cancel()
		if late.Err() == nil {
			t.Error("a context made after the end goes on")
		}
		if child.Value(key{}) != "value" || rpc.FromContext(grandchild) != rpc.FromContext(ctx) {
			t.Error("values are lost")
		}
	})
}

func TestACallsContextHasItsDeadline(t *testing.T) {
	inCall(t, func(ctx context.Context, _ func()) {
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
	inCall(t, func(ctx context.Context, _ func()) { // that no goroutine has waited for
		<-time.After(time.Second)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("%v at the deadline", ctx.Err())
		}
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("%v after the deadline", ctx.Err())
		}
	}, rpc.WithTimeout(time.Second))
	inCall(t, func(ctx context.Context, _ func()) {
		if deadline, ok := ctx.Deadline(); ok {
			t.Errorf("a call without a deadline ends at %v", deadline)
		}
	})
}

func TestACallsContextEndsWithItsHandler(t *testing.T) {
	var kept context.Context
	inCall(t, func(ctx context.Context, _ func()) { kept = ctx })
	select {
	case <-kept.Done():
	default:
		t.Error("it goes on")
	}
	if !errors.Is(kept.Err(), context.Canceled) {
		t.Error(kept.Err())
	}
}
