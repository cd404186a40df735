package rpc_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// feed is a server stream of the numbers above a cursor. serve serves one call.
type feed struct {
	calls atomic.Int64
	serve func(ctx context.Context, call int64, after uint64, send func(uint64) error) error
}

type number = wrapperspb.UInt64Value

var feedMethod = &rpc.Method{Service: "test.v1.Feed", Name: "Watch", ServerStreams: true}

func (f *feed) register(srv *rpc.Server) {
	register(srv, feedMethod, rpc.ServerStreamHandler(func(ctx context.Context, after *number, out rpc.Sender[number]) error {
		return f.serve(ctx, f.calls.Add(1), after.Value, func(n uint64) error { return out.Send(wrapperspb.UInt64(n)) })
	}))
}

// follow ranges over the feed of a caller.
func follow(ctx context.Context, c rpc.Caller, opts ...rpc.FollowOption) func(func(*number, error) bool) {
	return rpc.Follow(ctx, uint64(0),
		func(ctx context.Context, after uint64) (rpc.Receiver[number], error) {
			return rpc.CallServerStream[number, number](ctx, c, feedMethod, wrapperspb.UInt64(after))
		}, (*number).GetValue, opts...)
}

// collect follows the feed to its end.
func collect(ctx context.Context, c rpc.Caller, opts ...rpc.FollowOption) (got []uint64, err error) {
	for n, e := range follow(ctx, c, opts...) {
		if e != nil {
			return got, e
		}
		got = append(got, n.Value)
	}
	return got, nil
}

// upTo sends the numbers above after, up to last.
func upTo(last, after uint64, send func(uint64) error) error {
	for n := after + 1; n <= last; n++ {
		if err := send(n); err != nil {
			return err
		}
	}
	return nil
}

func TestFollowGoesOnFromTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{serve: func(_ context.Context, call int64, after uint64, send func(uint64) error) error {
			if err := upTo(min(10, 3*uint64(call)), after, send); err != nil || call == 4 {
				return err
			}
			if call%2 == 0 {
				return rpc.Errorf(rpc.CodeUnavailable, "the shard moves")
			}
			return rpc.RetryLater(0)
		}}
		p := newPair(t, nil, nil, f.register)
		got, err := collect(t.Context(), p.client)
		if want := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; err != nil || !slices.Equal(got, want) || f.calls.Load() != 4 {
			t.Fatalf("got %v, %v in %d calls", got, err, f.calls.Load())
		}
	})
}

func TestFollowReconnectsToAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{serve: func(ctx context.Context, call int64, after uint64, send func(uint64) error) error {
			if err := upTo(uint64(call)*2, after, send); err != nil || call == 3 {
				return err
			}
			<-rpc.Draining(ctx)
			return rpc.RetryLater(0)
		}}
		n := newNetwork(t)
		old := rpc.NewServer()
		f.register(old)
		n.serve(home, old)
		c := n.client(home)
		var got []uint64
		for m, err := range follow(t.Context(), c) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, m.Value); m.Value%2 == 0 && m.Value < 6 {
				next := rpc.NewServer()
				f.register(next)
				going := old
				go func() { _ = going.Shutdown(t.Context()) }()
				n.serve(home, next)
				old = next
			}
		}
		if want := []uint64{1, 2, 3, 4, 5, 6}; !slices.Equal(got, want) {
			t.Fatalf("got %v", got)
		}
	})
}

func TestFollowWaitsAsLongAsTheCalleeAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		f := &feed{serve: func(_ context.Context, call int64, _ uint64, send func(uint64) error) error {
			at = append(at, time.Now())
			if call == 3 {
				return nil
			}
			if err := send(1); err != nil {
				return err
			}
			return rpc.RetryLater(7 * time.Second)
		}}
		p := newPair(t, nil, nil, f.register)
		if _, err := collect(t.Context(), p.client); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if gap := at[i+1].Sub(at[i]); gap < 7*time.Second || gap > 7*time.Second+100*time.Millisecond {
				t.Errorf("call %d after %v", i+2, gap)
			}
		}
	})
}

func TestFollowBacksOffUntilAMessageComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		f := &feed{serve: func(_ context.Context, call int64, _ uint64, send func(uint64) error) error {
			at = append(at, time.Now())
			switch call {
			case 200:
				if err := send(1); err != nil {
					return err
				}
			case 202:
				return rpc.CodeNotFound
			}
			return rpc.CodeUnavailable
		}}
		p := newPair(t, nil, nil, f.register)
		got, err := collect(t.Context(), p.client, rpc.WithFollowBackoff(time.Second, time.Minute))
		if rpc.CodeOf(err) != rpc.CodeNotFound || len(got) != 1 || len(at) != 202 {
			t.Fatalf("got %v, %v in %d calls", got, err, len(at))
		}
		var longest time.Duration
		gaps := make(map[time.Duration]bool)
		for i, when := range at[1:] {
			gap := when.Sub(at[i])
			bound := time.Minute
			if i < 6 {
				bound = time.Second << i
			}
			if i >= 199 { // a message arrived
				bound = time.Second << (i - 199)
			}
			if gap > bound {
				t.Errorf("call %d after %v, at most %v", i+2, gap, bound)
			}
			longest, gaps[gap] = max(longest, gap), true
		}
		if longest < 30*time.Second || len(gaps) < 190 {
			t.Errorf("the longest delay is %v; %d differ", longest, len(gaps))
		}
	})
}

func TestFollowEndsWithAStatusThatDoesNotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &feed{serve: func(_ context.Context, call int64, _ uint64, send func(uint64) error) error {
			if call == 1 {
				return rpc.CodeResourceExhausted
			}
			return rpc.CodeNotFound
		}}
		p := newPair(t, nil, nil, f.register)
		_, err := collect(t.Context(), p.client)
		wantError(t, err, rpc.CodeResourceExhausted)
		f.calls.Store(0)
		_, err = collect(t.Context(), p.client, rpc.WithFollowCodes(rpc.CodeResourceExhausted, rpc.CodeAborted))
		wantError(t, err, rpc.CodeNotFound)
		if f.calls.Load() != 2 {
			t.Errorf("%d calls", f.calls.Load())
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	// over is closed once the caller has its error: the callee's deadline is at
	// the same time, and its status could be first.
	stay := func(over <-chan struct{}, send func(uint64) error) error {
		if err := send(1); err != nil {
			return err
		}
		<-over
		return rpc.CodeDeadlineExceeded
	}
	fail := func(<-chan struct{}, func(uint64) error) error { return rpc.RetryLater(time.Hour) }
	for name, serve := range map[string]func(<-chan struct{}, func(uint64) error) error{
		"while it receives": stay, "while it waits": fail,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				over := make(chan struct{})
				f := &feed{serve: func(_ context.Context, _ int64, _ uint64, send func(uint64) error) error {
					return serve(over, send)
				}}
				p := newPair(t, nil, nil, f.register)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				begun := time.Now()
				_, err := collect(ctx, p.client)
				close(over)
				wantError(t, err, rpc.CodeDeadlineExceeded)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
					t.Errorf("%v after %v", err, time.Since(begun))
				}
				_, err = collect(ctx, p.client)
				wantError(t, err, rpc.CodeDeadlineExceeded)
			})
		})
	}
}

func TestLeavingFollowCancelsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		f := &feed{serve: func(ctx context.Context, _ int64, _ uint64, send func(uint64) error) error {
			if err := send(1); err != nil {
				return err
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}}
		p := newPair(t, nil, nil, f.register)
		for _, err := range follow(t.Context(), p.client) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if f.calls.Load() != 1 {
			t.Errorf("%d calls", f.calls.Load())
		}
	})
}

func TestFollowRefusesWhatCannotBe(t *testing.T) {
	for name, opt := range map[string]rpc.FollowOption{
		"WithFollowCodes":   rpc.WithFollowCodes(rpc.CodeAborted, rpc.CodeOK),
		"WithFollowBackoff": rpc.WithFollowBackoff(time.Second, time.Millisecond),
	} {
		_, err := collect(t.Context(), nil, opt)
		wantError(t, err, rpc.CodeInvalidArgument)
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	none := func(context.Context, int) (rpc.Receiver[number], error) { return rpc.Receiver[number]{}, nil }
	for _, err := range rpc.Follow(t.Context(), 0, none, func(*number) int { return 0 }) {
		wantError(t, err, rpc.CodeInternal)
	}
}

// TestFollowLosesNothingInAStorm ends streams at random and counts.
func TestFollowLosesNothingInAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const last = 5000
		f := &feed{serve: func(_ context.Context, call int64, after uint64, send func(uint64) error) error {
			if err := upTo(min(last, after+rand.Uint64N(20)), after, send); err != nil {
				return err
			}
			if after == last {
				return nil
			}
			return []error{rpc.CodeUnavailable, rpc.RetryLater(0), rpc.RetryLater(time.Second)}[call%3]
		}}
		p := newPair(t, nil, nil, f.register)
		got, err := collect(t.Context(), p.client)
		if err != nil || len(got) != last {
			t.Fatalf("%d numbers, %v", len(got), err)
		}
		for i, n := range got {
			if n != uint64(i)+1 {
				t.Fatalf("number %d is %d", i+1, n)
			}
		}
	})
}
