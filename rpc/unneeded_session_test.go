package rpc_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpc"
)

// A client has moved to another server. Its first server, which was killed,
// starts again and answers the link that was to resume a session with a new
// one.
func TestNoServerHearsOfASessionThatItsClientDoesNotNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := kinds[0]
		f := newFleet(t)
		services := rpc.NewMux()
		register(services, m, func(ctx context.Context, s rpc.Stream) error {
			select {
			case <-time.After(3 * time.Second):
				return echo(ctx, s)
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		client := f.client(first, rpc.WithURLs(second), rpc.WithServices(services))
		if _, err := converse(t.Context(), client, m, []string{"hello"}); err != nil {
			t.Fatal(err)
		}
		open, err := client.Open(t.Context(), kinds[3]) // makes the client reconnect
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		if err := open.Send(text("")); err != nil {
			t.Fatal(err)
		}
		pass(0)
		f.answer(first, nil)
		f.cut()
		pass(0)
		if _, err := converse(t.Context(), client, m, []string{"hello"}); err != nil {
			t.Fatal(err)
		}

		connected := 0
		back := rpc.NewServer(rpc.OnConnect(func(*rpc.Conn) { connected++ }))
		f.serve(first, back)
		ended := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				err = open.Recv(text(""))
			}
			ended <- err
		}()
		select {
		case err := <-ended:
			if rpc.CodeOf(err) != rpc.CodeUnavailable {
				t.Errorf("the call on the session that is lost ended with: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the client did not reconnect")
		}
		pass(2 * time.Second)
		if connected != 0 || len(back.Conns()) != 0 {
			t.Errorf("%d sessions have begun, %d go on", connected, len(back.Conns()))
		}
	})
}
