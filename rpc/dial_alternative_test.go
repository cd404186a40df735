package rpc_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// holding makes srv serve safe calls that end when release is closed.
func holding(srv *rpc.Server, release <-chan struct{}) {
	register(srv, safe, rpc.UnaryHandler(func(ctx context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		select {
		case <-release:
			return in, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}))
}

// silent never answers a dial.
func silent(dialed) (transport.Link, error) {
	<-time.After(time.Hour)
	return nil, rpc.Errorf(rpc.CodeUnavailable, "it has not answered for an hour")
}

// unreachable are the ways in which the server of a detached session does not
// answer, and how soon another server must be used.
var unreachable = map[string]struct {
	answer func(dialed) (transport.Link, error)
	within time.Duration
}{
	"refuses connections": {nil, 100 * time.Millisecond},
	"does not answer":     {silent, 1100 * time.Millisecond},
}

func TestNewCallsMoveWhenTheServerOfALostLinkIsSilent(t *testing.T) {
	for _, name := range []string{"PickFirst", "round robin"} {
		for how, server := range unreachable {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					at := arrangements[name]
					f := newFleet(t)
					c := f.client(at.url, at.opts...)
					if _, err := c.Connect(t.Context()); err != nil {
						t.Fatal(err)
					}
					pass(time.Minute)
					seen := states(c)
					f.answer(first, server.answer)
					f.cut()
					synctest.Wait()
					if name == "round robin" { // the other subConn has lost its link too, and gets another one
						pass(100 * time.Millisecond)
					}
					began := time.Now()
					for range 10 {
						if _, err := converse(t.Context(), c, unary, []string{"new"}); err != nil {
							t.Fatal(err)
						}
					}
					if took := time.Since(began); took > server.within {
						t.Errorf("calls have waited %v", took)
					}
					if got := seen(); slices.Contains(got, rpc.StateTransientFailure) || got[len(got)-1] != rpc.StateReady {
						t.Errorf("the states were %v", got)
					}
					if how == "does not answer" {
						pass(2 * time.Hour) // the dial ends
					}
				})
			})
		}
	}
}

func TestADetachedSessionResumesWhileCallsUseAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ended := make(chan error, 2)
		f := newFleet(t, rpc.OnDisconnect(func(_ *rpc.Conn, err error) { ended <- err }))
		holding(f.a, release)
		c := f.client(first, rpc.WithURLs(second))
		old := start(func() ([]string, error) { return converse(t.Context(), c, safe, []string{"old"}) })
		pass(time.Minute)
		f.answer(first, nil)
		f.cut()
		pass(time.Second)
		if _, err := converse(t.Context(), c, unary, []string{"new"}); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		f.serve(first, f.a)
		pass(10 * time.Second)
		close(release)
		if out := <-old; out.err != nil || out.texts[0] != "old" {
			t.Errorf("the old call: %v", out)
		}
		wantError(t, <-ended, rpc.CodeCanceled) // the client has left in good order
		synctest.Wait()                         // and it has forgotten the connection
		if got := c.State(); got != rpc.StateReady {
			t.Error(got)
		}
		if n := c.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

func TestADetachedSessionEndsWithItsWindowWhileCallsUseAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		holding(f.a, nil)
		c := f.client(first, rpc.WithURLs(second), rpc.WithResumption(rpc.Resumption{Window: 20 * time.Second}))
		old := start(func() ([]string, error) { return converse(t.Context(), c, safe, []string{"old"}) })
		pass(time.Minute)
		f.answer(first, nil)
		f.cut()
		synctest.Wait()
		began := time.Now()
		calls := startLoop(t, 50*time.Millisecond, c, unary)
		wantError(t, (<-old).err, rpc.CodeUnavailable)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("the old call has failed after %v", took)
		}
		calls.end(t)
		if got := c.State(); got != rpc.StateReady {
			t.Error(got)
		}
	})
}

func TestASessionThatIsResumedAtOnceStaysTheOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		c := f.client(first, rpc.WithURLs(second))
		conn, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		f.takes = 900 * time.Millisecond
		f.cut()
		if _, err := converse(t.Context(), c, unary, []string{"on"}); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		if now, err := c.Connect(t.Context()); err != nil || now != conn {
			t.Errorf("another connection is used, %v", err)
		}
		for _, d := range f.attempts() {
			if d.url != first {
				t.Errorf("dialed %s", d.url)
			}
		}
	})
}

func TestCallsWaitForADetachedSessionWithoutAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		c := f.client(first, rpc.WithURLs(second))
		conn, err := c.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		f.answer(first, nil)
		f.answer(second, nil)
		f.cut()
		pass(time.Second)
		call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{"on"}) })
		pass(5 * time.Second)
		if got := c.State(); got != rpc.StateResuming || len(call) > 0 {
			t.Errorf("%v, calls that have ended: %d", got, len(call))
		}
		f.serve(first, f.a)
		if out := <-call; out.err != nil {
			t.Error(out.err)
		}
		if now, err := c.Connect(t.Context()); err != nil || now != conn {
			t.Errorf("another connection is used, %v", err)
		}
	})
}
