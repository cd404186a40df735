package rpc_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// counting is a stream that counts its messages.
type counting struct {
	rpc.Stream
	sent, received *atomic.Int32
}

func (c counting) Send(msg any) error {
	err := c.Stream.Send(msg)
	if err == nil {
		c.sent.Add(1)
	}
	return err
}

func (c counting) Recv(msg any) error {
	err := c.Stream.Recv(msg)
	if err == nil {
		c.received.Add(1)
	}
	return err
}

// counter is an interceptor that records how many messages it has seen when the
// call has ended.
func (r *record) counter(name string) rpc.Interceptor {
	return around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		c := counting{s, new(atomic.Int32), new(atomic.Int32)}
		err := next(ctx, c)
		r.add("%s sent %d received %d %v", name, c.sent.Load(), c.received.Load(), rpc.CodeOf(err))
		return err
	})
}

func TestAnInterceptorsStreamHasSeenEveryMessageWhenTheCallEnds(t *testing.T) {
	var r record
	p := newPair(t, []rpc.ServerOption{rpc.WithHandlerInterceptors(r.counter("server"))},
		[]rpc.ClientOption{rpc.WithCallInterceptors(r.counter("client"))}, func(srv *rpc.Server) { registerAll(srv, echo) })
	for m, want := range map[*rpc.Method][]string{
		unary:    {"server sent 1 received 1 OK", "client sent 1 received 1 OK"},
		download: {"server sent 1 received 1 OK", "client sent 1 received 1 OK"},
		upload:   {"server sent 1 received 3 OK", "client sent 3 received 1 OK"},
		bidi:     {"server sent 3 received 3 OK", "client sent 3 received 3 OK"},
	} {
		if _, err := converse(t.Context(), p.client, m, []string{"a", "b", "c"}); err != nil {
			t.Fatal(err)
		}
		if got := r.take(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", m.Service, got, want)
		}
	}
}

// TestInterceptorExitRunsOnceWhateverEndsTheCall has interceptors that record
// the end of calls.
func TestInterceptorExitRunsOnceWhateverEndsTheCall(t *testing.T) {
	var r record
	started := make(chan struct{}, 1)
	for _, c := range []struct {
		name string
		end  func(p *pair, s rpc.Stream, cancel func())
		code rpc.Code
	}{
		{"a failing handler", func(_ *pair, s rpc.Stream, _ func()) {
			_, _ = recvAll(s)
		}, rpc.CodeDataLoss},
		{"its context", func(_ *pair, s rpc.Stream, cancel func()) {
			cancel()
			_, _ = recvAll(s)
		}, rpc.CodeCanceled},
		{"Close", func(_ *pair, s rpc.Stream, _ func()) { s.Close() }, rpc.CodeCanceled},
		{"Close by another goroutine", func(_ *pair, s rpc.Stream, _ func()) {
			go s.Close()
			_, _ = recvAll(s)
		}, rpc.CodeCanceled},
		{"the client's Close", func(p *pair, s rpc.Stream, _ func()) {
			p.client.Close()
			_, _ = recvAll(s)
		}, rpc.CodeCanceled},
		{"the server's Close", func(p *pair, s rpc.Stream, _ func()) {
			p.srv.Close()
			_, _ = recvAll(s)
		}, rpc.CodeUnavailable},
		{"a lost link", func(p *pair, s rpc.Stream, _ func()) {
			p.dialer.Cut()
			_, _ = recvAll(s)
		}, rpc.CodeUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range kinds {
				p := newPair(t, []rpc.ServerOption{rpc.WithoutResumption()}, []rpc.ClientOption{rpc.WithCallInterceptors(r.recording("outer"), r.recording("inner"))}, func(srv *rpc.Server) {
					register(srv, m, func(ctx context.Context, _ rpc.Stream) error {
						started <- struct{}{}
						if c.code == rpc.CodeDataLoss {
							return c.code
						}
						<-ctx.Done()
						return ctx.Err()
					})
				})
				ctx, cancel := context.WithCancel(t.Context())
				s, err := p.client.Open(ctx, m)
				if err != nil {
					t.Fatal(err)
				}
				<-started
				c.end(p, s, cancel)
				cancel()
				for range 2 { // nothing happens once the call has ended
					if err := s.Recv(new(wrapperspb.StringValue)); rpc.CodeOf(err) != c.code {
						t.Errorf("%s: Recv: %v", m.Service, err)
					}
					if err := s.Send(text("")); rpc.CodeOf(err) != c.code {
						t.Errorf("%s: Send: %v", m.Service, err)
					}
					s.Close()
				}
				want := []string{"outer before", "inner before", "inner behind " + c.code.String(), "outer behind " + c.code.String()}
				if got := r.take(); !slices.Equal(got, want) {
					t.Errorf("%s: got %q, want %q", m.Service, got, want)
				}
			}
		})
	}
}

// TestInterceptorExitRunsWhenAStreamsContextEnds does not use the stream.
func TestInterceptorExitRunsWhenAStreamsContextEnds(t *testing.T) {
	for _, m := range []*rpc.Method{download, upload, bidi} {
		synctest.Test(t, func(t *testing.T) {
			var r record
			p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(r.recording("call"))}, func(srv *rpc.Server) {
				register(srv, m, waiting(make(chan struct{}, 1), make(chan error, 1)))
			})
			s, err := p.client.Open(t.Context(), m, rpc.WithTimeout(time.Second))
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second - 1)
			synctest.Wait()
			if got := r.take(); len(got) != 1 {
				t.Fatalf("before the deadline: %q", got)
			}
			<-time.After(1)
			synctest.Wait()
			if got := r.take(); !slices.Equal(got, []string{"call behind DEADLINE_EXCEEDED"}) {
				t.Fatalf("after the deadline: %q", got)
			}
			wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeDeadlineExceeded)
		})
	}
}

// TestInterceptorExitRunsOnceForConcurrentEnds has a Send and a Recv that wait.
func TestInterceptorExitRunsOnceForConcurrentEnds(t *testing.T) {
	var r record
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(r.counter("call"))}, func(srv *rpc.Server) {
		register(srv, bidi, waiting(make(chan struct{}, 100), make(chan error, 100)))
	})
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := p.client.Open(ctx, bidi)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			for err := error(nil); err == nil; { // credit is used up soon
				err = s.Send(text(strings.Repeat("x", 10_000)))
			}
		})
		all.Go(func() { _, _ = recvAll(s) })
		all.Go(cancel)
		all.Go(func() { s.Close() })
		all.Wait()
		if got := r.take(); len(got) != 1 || !strings.HasSuffix(got[0], "CANCELED") {
			t.Fatalf("got %q", got)
		}
	}
}

func TestAPanicOfACallsInterceptorIsTheApplications(t *testing.T) {
	var where string
	panicking := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		if where == "before" {
			panic(where)
		}
		err := next(ctx, s)
		if where == "behind" {
			panic(where)
		}
		return err
	})
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(panicking)}, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		var s rpc.Stream
		caught := func(f func()) (r any) {
			defer func() { r = recover() }()
			f()
			return nil
		}
		where = "before"
		if got := caught(func() { s, _ = p.client.Open(t.Context(), m) }); got != "before" {
			t.Fatalf("Open panicked with %v", got)
		}
		where = "behind"
		if got := caught(func() {
			var err error
			if s, err = p.client.Open(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(text("a")); err != nil {
				t.Fatal(err)
			}
			if err := s.CloseSend(); err != nil {
				t.Fatal(err)
			}
			_, _ = recvAll(s)
		}); got != "behind" {
			t.Fatalf("the call panicked with %v", got)
		}
		// The call does not look as if it had ended with OK.
		wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeInternal)
		s.Close()
		where = ""
		if _, err := converse(t.Context(), p.client, m, []string{""}); err != nil {
			t.Fatal(err)
		}
	})
}
