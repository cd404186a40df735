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
func TestServerCallsOnASessionThatIsNotNeededAreFinished(t *testing.T) {
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

		ended, gone := make(chan error, 1), make(chan error, 1)
		back := rpc.NewServer(
			rpc.OnConnect(func(c *rpc.Conn) {
				go func() {
					_, err := converse(context.Background(), c, m, []string{"are you there?"})
					ended <- err
				}()
			}),
			rpc.OnDisconnect(func(_ *rpc.Conn, err error) { gone <- err }))
		f.serve(first, back)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the call of the server ended with: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the client did not reconnect")
		}
		pass(2 * time.Second)
		if len(gone) == 0 {
			t.Error("the session that is not needed goes on")
		}
	})
}
