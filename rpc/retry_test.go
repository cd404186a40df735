package rpc_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// safe are methods that a policy may repeat.
var (
	safe         = &rpc.Method{Service: "test.Safe", Name: "Call", Idempotency: rpc.NoSideEffects}
	safeDownload = &rpc.Method{Service: "test.SafeDownload", Name: "Call", ServerStreams: true, Idempotency: rpc.Idempotent}
	safeBidi     = &rpc.Method{Service: "test.SafeBidi", Name: "Call", ClientStreams: true, ServerStreams: true, Idempotency: rpc.Idempotent}
)

// flaky is a client of a server whose handlers fail as often as failures says.
type flaky struct {
	*rpc.Client
	failures atomic.Int32
	code     rpc.Code
	calls    atomic.Int32
	before   string // a message before the failure, if any
}

func newFlaky(t *testing.T, failures int, policy rpc.RetryPolicy, opts ...rpc.ClientOption) *flaky {
	f := &flaky{code: rpc.CodeUnavailable}
	f.failures.Store(int32(failures))
	srv := rpc.NewServer()
	for _, m := range append([]*rpc.Method{safe, safeDownload, safeBidi}, kinds...) {
		register(srv, m, func(ctx context.Context, s rpc.Stream) error {
			n := f.calls.Add(1)
			_ = s.Call().SetTrailer("attempt", strconv.Itoa(int(n)))
			if f.failures.Add(-1) < 0 {
				return echo(ctx, s)
			}
			if f.before != "" {
				_, _ = recvOne(s)
				_ = s.Send(text(f.before))
			}
			return rpc.Errorf(f.code, "try again")
		})
	}
	n := newNetwork(t)
	n.serve(home, srv)
	f.Client = n.client(home, append(opts, rpc.WithRetry(policy))...)
	return f
}

// often is a policy on which others are based.
var often = rpc.RetryPolicy{
	MaxAttempts: 4, Codes: []rpc.Code{rpc.CodeUnavailable}, InitialBackoff: time.Second, MaxBackoff: 10 * time.Second,
}

func TestThePolicyHasHarmlessCallsTriedAgain(t *testing.T) {
	for _, m := range []*rpc.Method{safe, safeDownload} {
		synctest.Test(t, func(t *testing.T) {
			seen, retries := 0, 0
			f := newFlaky(t, 3, often, rpc.WithCallInterceptors(around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
				seen++
				err := next(ctx, s)
				retries = s.Call().Retries()
				return err
			})))
			var trailer rpc.Metadata
			begin := time.Now()
			got, err := converse(t.Context(), f, m, []string{"hello"}, rpc.ReadTrailer(&trailer))
			if err != nil || !slices.Equal(got, []string{"hello"}) {
				t.Fatalf("%v, %v", got, err)
			}
			if took := time.Since(begin); took == 0 || took > 7*time.Second {
				t.Errorf("it took %v", took)
			}
			if f.calls.Load() != 4 || seen != 1 || retries != 3 || trailer["attempt"][0] != "4" {
				t.Errorf("%d attempts, the interceptor has seen %d calls and %d retries, trailer %v", f.calls.Load(), seen, retries, trailer)
			}
		})
	}
}

func TestTheLastAttemptIsTheOneThatCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlaky(t, 100, often)
		var trailer rpc.Metadata
		_, err := converse(t.Context(), f, safe, []string{""}, rpc.ReadTrailer(&trailer))
		wantError(t, err, rpc.CodeUnavailable)
		if f.calls.Load() != 4 || trailer["attempt"][0] != "4" {
			t.Errorf("%d attempts, trailer %v", f.calls.Load(), trailer)
		}
	})
}

func TestThePolicyDoesNotCountForOtherCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		m      *rpc.Method
		opts   []rpc.CallOption
		code   rpc.Code
		before string
		want   int32
	}{
		"method that may do harm":     {unary, nil, rpc.CodeUnavailable, "", 1},
		"the same, opted in":          {unary, []rpc.CallOption{rpc.WithRetryable()}, rpc.CodeUnavailable, "", 2},
		"another code":                {safe, nil, rpc.CodeAborted, "", 1},
		"client stream":               {upload, []rpc.CallOption{rpc.WithRetryable()}, rpc.CodeUnavailable, "", 1},
		"bidi stream":                 {safeBidi, nil, rpc.CodeUnavailable, "", 1},
		"a message was received":      {safeDownload, nil, rpc.CodeUnavailable, "one", 1},
		"more is sent than is kept":   {safe, []rpc.CallOption{}, rpc.CodeUnavailable, "", 1},
		"the deadline is too near":    {safe, []rpc.CallOption{rpc.WithTimeout(time.Nanosecond)}, rpc.CodeUnavailable, "", 0},
		"a call with a good deadline": {safe, []rpc.CallOption{rpc.WithTimeout(time.Hour)}, rpc.CodeUnavailable, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlaky(t, 1, often)
				f.code, f.before = tt.code, tt.before
				msg := ""
				if tt.opts != nil && len(tt.opts) == 0 {
					msg = strings.Repeat("x", 300<<10)
				}
				_, err := converse(t.Context(), f, tt.m, []string{msg}, tt.opts...)
				if (err == nil) != (tt.want == 2) || f.calls.Load() != tt.want {
					t.Errorf("%d attempts: %v", f.calls.Load(), err)
				}
			})
		})
	}
}

func TestTheDeadlineBoundsAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := often
		slow.MaxAttempts, slow.InitialBackoff = 100, 10*time.Second
		slow.Budget = rpc.RetryBudget{Tokens: 1000}
		f := newFlaky(t, 1000, slow)
		begin := time.Now()
		_, err := converse(t.Context(), f, safe, []string{""}, rpc.WithTimeout(30*time.Second))
		wantError(t, err, rpc.CodeUnavailable)
		if took := time.Since(begin); took > 30*time.Second || f.calls.Load() < 2 {
			t.Errorf("%d attempts in %v", f.calls.Load(), took)
		}
	})
}

func TestTheBudgetEndsRetriesUntilCallsSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tight := often
		tight.Budget = rpc.RetryBudget{Tokens: 4, Ratio: 1}
		f := newFlaky(t, 1000, tight)
		_, _ = converse(t.Context(), f, safe, []string{""}) // 4 to 2: two attempts
		if got := f.calls.Swap(0); got != 2 {
			t.Fatalf("%d attempts with a full bucket", got)
		}
		_, _ = converse(t.Context(), f, safe, []string{""})
		if got := f.calls.Swap(0); got != 1 {
			t.Fatalf("%d attempts with half a bucket", got)
		}
		f.failures.Store(0)
		for range 3 {
			if _, err := converse(t.Context(), f, safe, []string{""}); err != nil {
				t.Fatal(err)
			}
		}
		f.calls.Store(0)
		f.failures.Store(1)
		if _, err := converse(t.Context(), f, safe, []string{""}); err != nil || f.calls.Load() != 2 {
			t.Errorf("%d attempts: %v", f.calls.Load(), err)
		}
	})
}

func TestAMalformedPolicyFailsTheFirstCall(t *testing.T) {
	for field, change := range map[string]func(*rpc.RetryPolicy){
		"MaxAttempts": func(p *rpc.RetryPolicy) { p.MaxAttempts = 1 },
		"Codes":       func(p *rpc.RetryPolicy) { p.Codes = nil },
		"MaxBackoff":  func(p *rpc.RetryPolicy) { p.MaxBackoff = time.Millisecond },
		"Multiplier":  func(p *rpc.RetryPolicy) { p.Multiplier = 0.5 },
		"Budget":      func(p *rpc.RetryPolicy) { p.Budget.Ratio = -1 },
	} {
		p := often
		change(&p)
		c := rpc.NewClient("ws://127.0.0.1:1", rpc.WithRetry(p))
		_, err := converse(t.Context(), c, unary, []string{""})
		wantError(t, err, rpc.CodeInvalidArgument)
		if !strings.Contains(err.Error(), "RetryPolicy."+field) {
			t.Errorf("%s: %v", field, err)
		}
		_ = c.Close()
	}
}

// refusers are servers that have certainly not seen their calls.
var refusers = map[string]func(*raw, uint64){
	"goes away": func(p *raw, _ uint64) { p.write((&frame.GoAway{Reason: "deploy"}).Append(nil)) },
	"goes away, and says so twice": func(p *raw, id uint64) {
		p.write((&frame.GoAway{}).Append(nil), resetFrame(id, transport.ResetRefused, "going"))
	},
}

func TestAnUnprocessedCallIsRepeatedOnANewSession(t *testing.T) {
	for name, refuse := range refusers {
		inBubble(t, func(t *testing.T, m *rpc.Method) {
			n := newNetwork(t)
			links := n.serveRaw()
			seen := 0
			c := n.client(home, rpc.WithCallInterceptors(around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
				seen++
				return next(ctx, s)
			})))
			words := []string{"one", "two", "three"}
			call := start(func() ([]string, error) { return converse(t.Context(), c, m, words) })
			p := <-links
			id, _ := p.wantOpen()
			synctest.Wait() // everything is sent
			n.serve(home, echoServer())
			refuse(p, id)
			if out := <-call; out.err != nil || !slices.Equal(out.texts, echoed(m, words)) {
				t.Errorf("%s: %v", name, out)
			}
			if seen != 1 {
				t.Errorf("%s: the interceptor has seen %d calls", name, seen)
			}
		})
	}
}

func TestAStreamThatGoesOnIsRepeatedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		links := n.serveRaw()
		c := n.client(home)
		s, err := c.Open(t.Context(), bidi)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p := <-links
		if err := s.Send(text("one")); err != nil {
			t.Fatal(err)
		}
		n.serve(home, echoServer())
		p.write((&frame.GoAway{}).Append(nil))
		synctest.Wait()
		for _, word := range []string{"two", "three"} {
			if err := s.Send(text(word)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if got, err := recvAll(s); err != nil || !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestACallThatMayHaveBeenSeenIsNotRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		end  func(*raw, uint64)
	}{
		"canceled":    {"", func(p *raw, id uint64) { p.write(resetFrame(id, transport.ResetCancel, "")) }},
		"UNAVAILABLE": {"", func(p *raw, id uint64) { p.write(endFrame(id, uintField(2, 14))) }},
		"closed":      {"", func(p *raw, _ uint64) { _ = p.link.Close(transport.CloseGoingAway, "") }},
		"lost":        {"", func(p *raw, _ uint64) { p.link.Cut() }},
		"refused, too much": {strings.Repeat("x", 300<<10), func(p *raw, id uint64) {
			for last := false; !last; {
				last = p.want(frame.TypeData, id).Flags&frame.FlagEnd != 0
			}
			synctest.Wait() // the caller has sent it
			refusers["goes away"](p, id)
		}},
		"refused after a word": {"", func(p *raw, id uint64) {
			p.write(dataFrame(id, 0, nil), resetFrame(id, transport.ResetRefused, ""))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				links := n.serveRaw()
				c := n.client(home)
				call := start(func() ([]string, error) { return converse(t.Context(), c, download, []string{tt.text}) })
				p := <-links
				id, _ := p.wantOpen()
				synctest.Wait()
				n.serve(home, echoServer())
				tt.end(p, id)
				if out := <-call; out.err == nil {
					t.Error("the call was repeated")
				}
			})
		})
	}
}

func TestALargeMessageThatIsBeingSentIsRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		n := newNetwork(t)
		links := n.serveRaw()
		c := n.client(home)
		words := []string{strings.Repeat("x", 1<<20-100)} // more than a new stream may send, and than the retry buffer keeps
		call := start(func() ([]string, error) { return converse(t.Context(), c, m, words) })
		p := <-links
		p.wantOpen()
		synctest.Wait()
		n.serve(home, echoServer())
		refusers["goes away"](p, 1)
		if out := <-call; out.err != nil || !slices.Equal(out.texts, words) {
			t.Errorf("%d texts, %v", len(out.texts), out.err)
		}
	})
}

func TestARefusalIsNotRepeatedOnTheSameSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		links := n.serveRaw()
		c := n.client(home)
		call := start(func() ([]string, error) { return converse(t.Context(), c, unary, []string{""}) })
		p := <-links
		id := p.takeCall()
		p.write(resetFrame(id, transport.ResetRefused, "too many streams"))
		wantError(t, (<-call).err, rpc.CodeUnavailable)
		n.wantAttempts(1)
	})
}

func TestRepetitionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, opened := newNetwork(t), 0
		n.answer(home, func(dialed) (transport.Link, error) {
			d, a := n.link()
			p := &raw{t: t, link: a, answers: true}
			p.hello()
			go func() {
				if _, err := p.read(); err == nil {
					opened++
					p.write((&frame.GoAway{}).Append(nil))
				}
			}()
			return d, nil
		})
		c := n.client(home)
		_, err := converse(t.Context(), c, unary, []string{""}, rpc.WithWaitForReady())
		wantError(t, err, rpc.CodeUnavailable)
		if opened != 5 {
			t.Errorf("%d attempts", opened)
		}
		n.answer(home, nil)
	})
}

func TestACallThatWaitedForALinkIsRepeatedWhenTheSessionIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		n := newNetwork(t)
		n.serve(home, echoServer())
		c := n.client(home)
		if _, err := converse(t.Context(), c, unary, []string{""}); err != nil {
			t.Fatal(err)
		}
		n.answer(home, nil)
		n.cut()
		synctest.Wait()
		call := start(func() ([]string, error) { return converse(t.Context(), c, m, []string{"on"}, rpc.WithWaitForReady()) })
		pass(time.Second)
		n.serve(home, echoServer()) // another, which does not know the session
		if out := <-call; out.err != nil || !slices.Equal(out.texts, []string{"on"}) {
			t.Error(out)
		}
	})
}

func TestACallThatIsRefusedBeforeHelloIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer(home, func(dialed) (transport.Link, error) {
			d, a := n.link()
			p := &raw{t: t, link: a}
			n.serve(home, echoServer())
			go func() {
				p.takeCall()
				_ = a.Close(4014, "overloaded")
			}()
			return d, nil
		})
		c := n.client(home)
		got, err := converse(t.Context(), c, unary, []string{"on"}, rpc.WithWaitForReady())
		if err != nil || got[0] != "on" {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestClosingACallEndsItsRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		links := n.serveRaw()
		c := n.client(home)
		s, err := c.Open(t.Context(), bidi, rpc.WithWaitForReady())
		if err != nil {
			t.Fatal(err)
		}
		p := <-links
		p.wantOpen()
		n.answer(home, nil)
		p.write((&frame.GoAway{}).Append(nil))
		call := start(func() ([]string, error) { return recvAll(s) })
		pass(time.Minute)
		_ = s.Close()
		wantError(t, (<-call).err, rpc.CodeCanceled)
	})
}
