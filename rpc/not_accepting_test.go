package rpc_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// wardens turn clients away in all ways.
func wardens(n *network) map[string]func(dialed) (transport.Link, error) {
	link := func(end func(*raw)) func(dialed) (transport.Link, error) {
		return func(dialed) (transport.Link, error) {
			d, a := n.link()
			go end(&raw{t: n.t, link: a})
			return d, nil
		}
	}
	refused := (&frame.GoAway{Status: uint64(rpc.CodeUnavailable), Reason: "no new sessions"}).Append(nil)
	return map[string]func(dialed) (transport.Link, error){
		"HTTP 503":          refusing(n.t, "draining", 0),
		"4014 before HELLO": link(func(p *raw) { _ = p.link.Close(4014, "overloaded") }),
		"1012 before HELLO": link(func(p *raw) { _ = p.link.Close(transport.CloseServiceRestart, "") }),
		"GOAWAY with a status": link(func(p *raw) {
			p.hello()
			p.write(refused)
			_ = p.link.Close(transport.CloseServiceRestart, "")
		}),
	}
}

func TestAClientThatIsTurnedAwayGetsInSoonAndItsCallsDoNotFail(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		n := newNetwork(t)
		for name, warden := range wardens(n) {
			if name == "1012 before HELLO" {
				continue // a proxy may have done it after the call was served
			}
			for how, opts := range map[string][]rpc.ClientOption{"the same URL": nil, "another URL": {rpc.WithURLs(second)}} {
				srv := echoServer()
				times := 0
				n.answer(home, func(d dialed) (transport.Link, error) {
					if times++; times == 3 && opts == nil {
						n.serve(home, srv)
					}
					return warden(d)
				})
				if opts != nil {
					n.serve(second, srv)
				}
				c := n.client(home, opts...)
				seen := states(c)
				began := time.Now()
				words := []string{"one", "two"}
				got, err := converse(t.Context(), c, m, words)
				if err != nil || !slices.Equal(got, echoed(m, words)) || time.Since(began) > time.Second {
					t.Errorf("%s, %s: %q, %v after %v", name, how, got, err, time.Since(began))
				}
				if got := seen(); slices.Contains(got, rpc.StateTransientFailure) {
					t.Errorf("%s, %s: the states were %v", name, how, got)
				}
				_ = c.Close()
			}
		}
	})
}

func TestASuccessorThatIsTurnedAwayIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		for name, warden := range wardens(n) {
			old, young := echoServer(), echoServer()
			n.serve(home, old)
			c := n.client(home)
			if _, err := c.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			pass(time.Minute)
			seen := states(c)
			calls := startLoop(t, 10*time.Millisecond, c, unary)
			times := 0
			n.answer(home, func(d dialed) (transport.Link, error) {
				if times++; times == 3 {
					n.serve(home, young)
				}
				return warden(d)
			})
			if err := <-shutdown(old, time.Minute); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			pass(time.Second)
			calls.end(t)
			wantNoFailure(t, seen())
			if times != 3 || young.Connections() != 1 {
				t.Errorf("%s: turned away %d times, %d connections", name, times, young.Connections())
			}
			_ = c.Close()
		}
	})
}

func TestAServerThatAlwaysTurnsAwayIsNotDialedInALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		for name, warden := range wardens(n) {
			n.answer(home, warden)
			c := n.client(home)
			began := time.Now()
			_, err := c.Connect(t.Context())
			if name == "HTTP 503" {
				wantError(t, err, rpc.CodeUnavailable)
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s: a call that fails fast has failed after %v", name, took)
			}
			pass(10 * time.Minute)
			if dials := len(n.attempts()); dials < 60 || dials > 900 {
				t.Errorf("%s: %d dials in 10 minutes", name, dials)
			}
			_ = c.Close()
		}
	})
}

func TestRetryAfterIsHonored(t *testing.T) {
	for _, tt := range []struct {
		says, least, most time.Duration
	}{
		{time.Second, time.Second, 2 * time.Second},
		{20 * time.Second, 20 * time.Second, 40 * time.Second},
		{time.Hour, time.Minute, 90 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.answer(home, refusing(t, "later", tt.says))
			c := n.client(home)
			call := start(func() ([]string, error) {
				return converse(context.Background(), c, unary, []string{""}, rpc.WithWaitForReady())
			})
			synctest.Wait()
			n.serve(home, echoServer())
			began := n.wantAttempts(1)[0].at
			if out := <-call; out.err != nil {
				t.Error(out.err)
			}
			if wait := n.wantAttempts(1)[0].at.Sub(began); wait < tt.least || wait > tt.most {
				t.Errorf("told to retry in %v, the client dialed after %v", tt.says, wait)
			}
		})
	}
}

func TestRetryAfterOfOneServerKeepsNoClientFromAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer(first, refusing(t, "later", 30*time.Second))
		n.serve(second, named("two"))
		c := n.client(first, rpc.WithURLs(second))
		began := time.Now()
		if got := who(t, c, 1); got["two"] != 1 || time.Since(began) > 0 {
			t.Errorf("%v after %v", got, time.Since(began))
		}
	})
}

func TestRetryAfterOfAServerThatDrainsIsUnderstood(t *testing.T) {
	finish, told := make(chan struct{}), make(chan error, 2)
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Spread: -1}))
	arrived := make(chan struct{})
	register(srv, unary, arrivingHandler(arrived, finish, told))
	times := make(chan time.Time, 100)
	url := serveHTTP(t, srv, func(*http.Request) { times <- time.Now() })
	c := rpc.NewClient(url)
	defer c.Close()
	call := start(func() ([]string, error) { return converse(context.Background(), c, unary, []string{"question"}) })
	<-arrived
	<-times
	done := shutdown(srv, time.Minute)
	<-told
	if gap := -(<-times).Sub(<-times); gap < time.Second {
		t.Errorf("the client comes again after %v", gap)
	}
	close(finish)
	if out := <-call; out.err != nil {
		t.Error(out.err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
