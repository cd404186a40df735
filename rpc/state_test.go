package rpc_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestStatesFollowTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(home)
		seen := make(chan []rpc.State, 1)
		go func() { seen <- slices.Collect(c.States(context.Background())) }()
		synctest.Wait()

		n.takes = time.Second
		n.refuse(home, rpc.CodePermissionDenied)
		_, _ = c.Connect(t.Context())
		pass(time.Hour)
		srv := echoServer()
		n.serve(home, srv)
		if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		n.answer(home, nil)
		n.cut()
		pass(time.Second)
		n.serve(home, srv)
		pass(15 * time.Second)
		_ = c.Close()
		want := []rpc.State{
			rpc.StateIdle, rpc.StateConnecting, rpc.StateTransientFailure, rpc.StateConnecting, rpc.StateReady,
			rpc.StateResuming, rpc.StateReady, rpc.StateShutdown,
		}
		if got := <-seen; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := c.State(); got != rpc.StateShutdown || got.String() != "SHUTDOWN" {
			t.Error(got)
		}
		_, err := c.Connect(t.Context())
		wantError(t, err, rpc.CodeCanceled)
	})
}

func TestAnOrdinaryCloseMakesTheClientIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		sessions := n.serveSessions()
		c := n.client(home)
		conn, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = (<-sessions).Close(transport.CloseNormal, "done")
		<-conn.Done()
		synctest.Wait()
		if got := c.State(); got != rpc.StateIdle {
			t.Error(got)
		}
	})
}

func TestWaitingForAStateEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNetwork(t).client(home)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if s, err := c.WaitForState(ctx, rpc.StateIdle); s != rpc.StateIdle || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", s, err)
		}
		if got := slices.Collect(c.States(ctx)); !slices.Equal(got, []rpc.State{rpc.StateIdle}) {
			t.Errorf("%v", got)
		}
		for s := range c.States(t.Context()) {
			if s != rpc.StateIdle {
				t.Error(s)
			}
			break
		}
	})
}
