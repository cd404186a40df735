package rpc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestACallFailsFastWithTheAttemptThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer(home, func(dialed) (transport.Link, error) {
			<-time.After(3 * time.Second)
			return nil, rpc.Errorf(rpc.CodeUnavailable, "no route")
		})
		c := n.client(home)
		begin := time.Now()
		first := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{""}) })
		pass(time.Second)
		_, err := converse(t.Context(), c, bidi, []string{""})
		wantError(t, err, rpc.CodeUnavailable)
		wantError(t, (<-first).err, rpc.CodeUnavailable)
		if took := time.Since(begin); took != 3*time.Second || len(n.attempts()) != 1 {
			t.Errorf("failed after %v", took)
		}
	})
}

func TestACallFailsAtOnceWhileTheNextAttemptIsDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(home)
		_, _ = c.Connect(t.Context())
		// The delay is random. After some attempts it is long enough to be
		// seen.
		for range 50 {
			for state := c.State(); state != rpc.StateTransientFailure; {
				state, _ = c.WaitForState(t.Context(), state)
			}
			before := len(n.attempts())
			begin := time.Now()
			_, err := converse(t.Context(), c, unary, []string{""})
			wantError(t, err, rpc.CodeUnavailable)
			if took := time.Since(begin); took != 0 || !strings.Contains(err.Error(), "connection refused") {
				t.Fatalf("after %v, with %d attempts before: %v", took, before, err)
			}
			pass(time.Second)
		}
	})
}

func TestACallThatWaitsForReadyOutlastsFailures(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		n := newNetwork(t)
		c := n.client(home)
		call := start(func() ([]string, error) {
			return converse(t.Context(), c, m, []string{"late"}, rpc.WithWaitForReady())
		})
		pass(time.Minute)
		n.serve(home, echoServer())
		if out := <-call; out.err != nil || !slices.Equal(out.texts, []string{"late"}) {
			t.Fatal(out)
		}
	})
}

func TestADeadlineBoundsTheWaitForAConnection(t *testing.T) {
	for _, limit := range limits {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			ctx, cancel := context.Background(), func() {}
			if limit.ctx != 0 {
				ctx, cancel = context.WithTimeout(ctx, limit.ctx)
			}
			defer cancel()
			begin := time.Now()
			opts := append([]rpc.CallOption{rpc.WithWaitForReady()}, limit.opts...)
			_, err := n.client(home).Open(ctx, bidi, opts...)
			wantError(t, err, rpc.CodeDeadlineExceeded)
			if took := time.Since(begin); took != 3*time.Second || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%s: after %v: %v", limit.name, took, err)
			}
		})
	}
}

func TestInterceptorsSeeACallForWhichThereIsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen error
		n := newNetwork(t)
		c := n.client(home, rpc.WithCallInterceptors(around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
			if s.Call().Conn != nil || s.Call().Peer == nil {
				t.Errorf("%+v", s.Call())
			}
			seen = next(ctx, s)
			return seen
		})))
		_, err := c.Open(t.Context(), unary)
		wantError(t, err, rpc.CodeUnavailable)
		if !errors.Is(seen, rpc.CodeUnavailable) {
			t.Errorf("the interceptor has seen %v", seen)
		}
	})
}
