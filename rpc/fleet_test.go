package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// fleet is two servers and the ways to reach them: through a balancer with one
// URL, or by the URL of each.
type fleet struct {
	*network
	a, b *rpc.Server
}

// arrangements are the ways in which the clients of a fleet find its servers.
var arrangements = map[string]struct {
	url  string
	opts []rpc.ClientOption
}{
	"one URL":     {home, nil},
	"PickFirst":   {first, []rpc.ClientOption{rpc.WithURLs(second)}},
	"round robin": {first, []rpc.ClientOption{rpc.WithURLs(second), rpc.WithBalancer(rpc.RoundRobin)}},
}

// newFleet puts a at the first URL and, at first, at home; and b at the second.
func newFleet(t *testing.T, server ...rpc.ServerOption) *fleet {
	f := &fleet{network: newNetwork(t), a: rpc.NewServer(server...), b: echoServer()}
	registerAll(f.a, echo)
	f.serve(first, f.a)
	f.serve(second, f.b)
	f.serve(home, f.a)
	return f
}

// leave makes the balancer send new clients to b, and a refuse them.
func (f *fleet) leave() {
	f.serve(home, f.b)
	f.answer(first, refusing(f.t, "draining", 0))
}

// states collects the states of a client from now on. The test must call stop.
func states(c *rpc.Client) (stop func() []rpc.State) {
	ctx, cancel := context.WithCancel(context.Background())
	seen := make(chan []rpc.State, 1)
	go func() { seen <- slices.Collect(c.States(ctx)) }()
	synctest.Wait()
	return func() []rpc.State {
		cancel()
		return <-seen
	}
}

// wantNoFailure expects that a client was connected, or connecting, all the
// time.
func wantNoFailure(t *testing.T, seen []rpc.State) {
	t.Helper()
	for _, s := range seen {
		if s != rpc.StateReady && s != rpc.StateConnecting {
			t.Errorf("the states were %v", seen)
			return
		}
	}
}

// loop makes calls one after another, with a short pause between them.
type loop struct {
	stop    atomic.Bool
	done    chan struct{}
	calls   int
	slowest time.Duration
	failed  []error
}

func startLoop(t *testing.T, pause time.Duration, c rpc.Caller, m *rpc.Method, opts ...rpc.CallOption) *loop {
	l := &loop{done: make(chan struct{})}
	words := []string{"one", "two"}
	go func() {
		defer close(l.done)
		for !l.stop.Load() {
			begun := time.Now()
			got, err := converse(t.Context(), c, m, words, opts...)
			if err == nil && !slices.Equal(got, echoed(m, words)) {
				err = fmt.Errorf("got %q", got)
			}
			if err != nil {
				l.failed = append(l.failed, err)
			}
			l.calls++
			l.slowest = max(l.slowest, time.Since(begun))
			<-time.After(pause)
		}
	}()
	return l
}

// end ends the loop and expects that none of its calls has failed.
func (l *loop) end(t *testing.T) {
	t.Helper()
	l.stop.Store(true)
	<-l.done
	if len(l.failed) > 0 || l.calls < 10 {
		t.Errorf("%d calls, %d failed, the first with %v", l.calls, len(l.failed), errors.Join(l.failed[:min(1, len(l.failed))]...))
	}
}
