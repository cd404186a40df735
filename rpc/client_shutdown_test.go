package rpc_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

func TestCallsInFlightOutliveTheShutdownOfAClient(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		if !m.ClientStreams {
			return
		}
		n := newNetwork(t)
		n.serve(home, echoServer())
		c := n.client(home)
		s, err := c.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Send(text("one")); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- c.Shutdown(t.Context()) }()
		pass(20 * time.Second)
		_, err = converse(t.Context(), c, m, []string{"late"})
		wantCode(t, err, rpc.CodeUnavailable)
		if err := s.Send(text("two")); err != nil {
			t.Error(err)
		}
		_ = s.CloseSend()
		if got, err := recvAll(s); err != nil || !slices.Equal(got, echoed(m, []string{"one", "two"})) {
			t.Errorf("%q, %v", got, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := c.State(); got != rpc.StateShutdown {
			t.Error(got)
		}
	})
}

func TestShutdownOfAClientFailsCallsAtTheEndOfItsTime(t *testing.T) {
	for name, at := range arrangements {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				for _, url := range []string{home, first, second} {
					srv := rpc.NewServer()
					registerAll(srv, func(ctx context.Context, _ rpc.Stream) error {
						<-ctx.Done()
						return ctx.Err()
					})
					n.serve(url, srv)
				}
				c := n.client(at.url, at.opts...)
				call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{"waits"}) })
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := c.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				wantCode(t, (<-call).err, rpc.CodeUnavailable)
				_, err := converse(t.Context(), c, unary, []string{"late"}, rpc.WithWaitForReady())
				wantCode(t, err, rpc.CodeUnavailable)
			})
		})
	}
}

func TestShutdownOfAClientFailsCallsThatWaitForAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.takes = time.Minute
		n.serve(home, echoServer())
		c := n.client(home)
		call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{"waits"}) })
		synctest.Wait()
		began := time.Now()
		if err := c.Shutdown(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		wantCode(t, (<-call).err, rpc.CodeUnavailable)
	})
}
