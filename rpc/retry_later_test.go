package rpc_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestARetryWaitsAsLongAsTheCalleeAsks(t *testing.T) {
	policy := rpc.RetryPolicy{
		MaxAttempts: 3, Codes: []rpc.Code{rpc.CodeUnavailable},
		InitialBackoff: time.Second, MaxBackoff: time.Minute,
	}
	for name, c := range map[string]struct {
		asks  time.Duration
		calls int
	}{
		"not long": {30 * time.Second, 2}, "at once": {0, 2}, "longer than the policy allows": {time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				p := newPair(t, nil, []rpc.ClientOption{rpc.WithRetry(policy)}, func(srv *rpc.Server) {
					registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
						if at = append(at, time.Now()); len(at) == 1 {
							return rpc.RetryLater(c.asks)
						}
						return echo(ctx, s)
					})
				})
				_, err := converse(t.Context(), p.client, unary, []string{"hello"}, rpc.WithRetryable())
				if len(at) != c.calls || (err == nil) != (c.calls == 2) {
					t.Fatalf("%d calls, %v", len(at), err)
				}
				if after, ok := rpc.RetryAfter(err); err != nil && (!ok || after != c.asks) {
					t.Errorf("the caller is not told when to retry: %v", err)
				}
				if err == nil && (at[1].Sub(at[0]) < c.asks || at[1].Sub(at[0]) > c.asks+time.Second) {
					t.Errorf("again after %v", at[1].Sub(at[0]))
				}
			})
		})
	}
}

// The sum of the callee's delay and the backoff must not overflow.
func TestLongestDelayThatTheCalleeAsksForIsNoRetryAtOnce(t *testing.T) {
	policy := rpc.RetryPolicy{
		MaxAttempts: 3, Codes: []rpc.Code{rpc.CodeUnavailable},
		InitialBackoff: math.MaxInt64, MaxBackoff: math.MaxInt64,
	}
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		p := newPair(t, nil, []rpc.ClientOption{rpc.WithRetry(policy)}, func(srv *rpc.Server) {
			registerAll(srv, func(context.Context, rpc.Stream) error {
				calls++
				return rpc.RetryLater(math.MaxInt64)
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Hour, cancel)
		_, err := converse(ctx, p.client, unary, []string{"hello"}, rpc.WithRetryable())
		if calls != 1 || rpc.CodeOf(err) == rpc.CodeOK {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}
