package rpc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

const (
	first  = "wss://first.example/rpc"
	second = "wss://second.example/rpc"
	third  = "wss://third.example/rpc"
)

// named returns a server that responds to unary calls with its name.
func named(name string) *rpc.Server {
	srv := rpc.NewServer()
	register(srv, unary, func(_ context.Context, s rpc.Stream) error {
		if _, err := recvOne(s); err != nil {
			return err
		}
		return s.Send(text(name))
	})
	return srv
}

// who counts which servers answer calls.
func who(t *testing.T, c rpc.Caller, calls int, opts ...rpc.CallOption) map[string]int {
	t.Helper()
	answers := make(map[string]int)
	for range calls {
		got, err := converse(t.Context(), c, unary, []string{""}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		answers[got[0]]++
	}
	return answers
}

func TestPickFirstUsesTheFirstServerThatAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		two := named("two")
		n.serve(second, two)
		n.serve(third, named("three"))
		c := n.client(first, rpc.WithURLs(second, third))
		if got := who(t, c, 10); got["two"] != 10 {
			t.Errorf("%v answer", got)
		}
		n.wantAttempts(2)
		n.answer(second, nil)
		_ = two.Close()
		if got := who(t, c, 10, rpc.WithWaitForReady()); got["three"] != 10 {
			t.Errorf("%v answer, without the second", got)
		}
	})
}

func TestAServerThatDoesNotAnswerKeepsNoClientFromAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer(first, silent)
		n.serve(third, named("three"))
		c := n.client(first, rpc.WithURLs(second, third))
		began := time.Now()
		if got := who(t, c, 1); got["three"] != 1 || time.Since(began) != time.Second {
			t.Errorf("%v after %v", got, time.Since(began))
		}
		pass(2 * time.Hour) // the first dial ends without a result
		if got := who(t, c, 1); got["three"] != 1 || c.Connections() != 1 {
			t.Errorf("%v, %d connections", got, c.Connections())
		}
	})
}

func TestASlowServerThatAnswersAfterAllIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.takes = 3 * time.Second
		n.serve(first, named("one"))
		n.serve(second, named("two"))
		c := n.client(first, rpc.WithURLs(second))
		if got := who(t, c, 1); got["one"] != 1 {
			t.Errorf("%v", got)
		}
		pass(time.Minute)
		if c.Connections() != 1 {
			t.Errorf("%d connections", c.Connections())
		}
	})
}

func TestRoundRobinUsesAllServersThatAnswerInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		one := named("one")
		n.serve(first, one)
		n.serve(second, named("two"))
		c := n.client(first, rpc.WithURLs(second, third), rpc.WithBalancer(rpc.RoundRobin))
		_ = who(t, c, 1)
		pass(time.Minute)
		if got := who(t, c, 30); got["one"] < 10 || got["two"] < 10 {
			t.Errorf("%v answer", got)
		}
		n.answer(first, nil)
		_ = one.Close()
		synctest.Wait()
		if got := who(t, c, 10); got["two"] != 10 {
			t.Errorf("%v answer, without the first", got)
		}
		n.serve(third, named("three"))
		pass(time.Minute)
		if got := who(t, c, 30); got["two"] < 10 || got["three"] < 10 {
			t.Errorf("%v answer, with the third", got)
		}
	})
}

func TestRoundRobinFailsFastOnlyIfNoServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(first, rpc.WithURLs(second), rpc.WithBalancer(rpc.RoundRobin))
		_, err := converse(t.Context(), c, unary, []string{""})
		wantError(t, err, rpc.CodeUnavailable)
		call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{""}, rpc.WithWaitForReady()) })
		pass(time.Minute)
		n.serve(second, named("two"))
		if out := <-call; out.err != nil || out.texts[0] != "two" {
			t.Error(out)
		}
		_, err = converse(t.Context(), n.client(first, rpc.WithURLs(second), rpc.WithBalancer(rpc.RoundRobin)), unary, []string{""})
		if err != nil {
			t.Error(err)
		}
	})
}
