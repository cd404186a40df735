package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

func TestClosingAClientEndsItsMove(t *testing.T) {
	for name, takes := range map[string]time.Duration{"before the dial": 0, "during the dial": time.Second, "before the answer": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				links := n.serveRaw()
				c := n.client(home)
				if _, err := c.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				p := <-links
				n.takes = takes
				delay := time.Duration(0)
				if name == "before the dial" {
					delay = 10 * time.Second
				}
				p.write(notice(delay))
				synctest.Wait()
				began := time.Now()
				if err := c.Close(); err != nil || time.Since(began) > 3*time.Second {
					t.Errorf("%v after %v", err, time.Since(began))
				}
				if got := c.State(); got != rpc.StateShutdown || c.Connections() != 0 {
					t.Errorf("%v, %d connections", got, c.Connections())
				}
			})
		})
	}
}

func TestASessionThatIsLostInTheMiddleOfAMoveCostsNoNewCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		c := f.client(home)
		if _, err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		f.takes = 2 * time.Second
		f.leave()
		done := shutdown(f.a, time.Minute)
		synctest.Wait()
		if _, err := converse(t.Context(), c, unary, []string{"old"}); err != nil { // which dials
			t.Fatal(err)
		}
		f.cut()
		synctest.Wait()
		began := time.Now()
		got, err := converse(t.Context(), c, unary, []string{"new"})
		if err != nil || got[0] != "new" || time.Since(began) > 2*time.Second {
			t.Errorf("%q, %v after %v", got, err, time.Since(began))
		}
		if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestBothServersMayGiveNoticeAtOnce(t *testing.T) {
	for _, name := range []string{"PickFirst", "round robin"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := arrangements[name]
				f := newFleet(t)
				c := f.client(at.url, at.opts...)
				if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				seen := states(c)
				calls := startLoop(t, 20*time.Millisecond, c, unary)
				leaving := []<-chan error{shutdown(f.a, time.Minute), shutdown(f.b, time.Minute)}
				for _, url := range []string{first, second} {
					f.serve(url, echoServer())
				}
				for _, done := range leaving {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				pass(time.Minute)
				calls.end(t)
				wantNoFailure(t, seen())
			})
		})
	}
}

func TestANoticeThatArrivesWithAResumptionIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		release := make(chan struct{})
		register(f.a, safe, rpc.UnaryHandler(func(_ context.Context, in *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			<-release
			return in, nil
		}))
		c := f.client(home)
		call := start(func() ([]string, error) { return converse(t.Context(), c, safe, []string{"held"}) })
		synctest.Wait()
		f.answer(home, nil)
		f.cut()
		synctest.Wait()
		done := shutdown(f.a, time.Minute)
		synctest.Wait()
		f.serve(home, f.a)
		pass(time.Second) // resumed, and notified
		f.serve(home, f.b)
		pass(10 * time.Second)
		close(release)
		if out := <-call; out.err != nil || out.texts[0] != "held" {
			t.Error(out)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := c.State(); got != rpc.StateReady {
			t.Error(got)
		}
	})
}
