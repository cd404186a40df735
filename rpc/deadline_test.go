package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// inBubble runs a test of each kind in a synctest bubble.
func inBubble(t *testing.T, f func(*testing.T, *rpc.Method)) {
	t.Helper()
	for _, m := range kinds {
		t.Run(m.Service, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, m) })
		})
	}
}

// limits are the ways to bound a call by 3 seconds.
var limits = []struct {
	name string
	ctx  time.Duration // 0: the context has no deadline
	opts []rpc.CallOption
}{
	{"WithTimeout", 0, []rpc.CallOption{rpc.WithTimeout(3 * time.Second)}},
	{"the context", 3 * time.Second, nil},
	{"the context, earlier than WithTimeout", 3 * time.Second, []rpc.CallOption{rpc.WithTimeout(time.Hour)}},
	{"WithTimeout, earlier than the context", time.Hour, []rpc.CallOption{rpc.WithTimeout(3 * time.Second)}},
	{"the last WithTimeout", 0, []rpc.CallOption{rpc.WithTimeout(time.Hour), rpc.WithTimeout(3 * time.Second)}},
}

func TestDeadlinesTravelToTheHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		deadlines := make(chan time.Time, 1)
		p := newPair(t, nil, nil, func(srv *rpc.Server) {
			register(srv, m, func(ctx context.Context, s rpc.Stream) error {
				deadline, _ := ctx.Deadline()
				deadlines <- deadline
				return echo(ctx, s)
			})
		})
		for _, limit := range limits {
			ctx, cancel := context.Background(), func() {}
			if limit.ctx != 0 {
				ctx, cancel = context.WithTimeout(ctx, limit.ctx)
			}
			want := time.Now().Add(3 * time.Second)
			if _, err := converse(ctx, p.client, m, []string{""}, limit.opts...); err != nil {
				t.Fatal(err)
			}
			cancel()
			if got := <-deadlines; !got.Equal(want) {
				t.Errorf("%s: the handler's deadline is %v, want %v", limit.name, got, want)
			}
		}
		if _, err := converse(context.Background(), p.client, m, []string{""}); err != nil {
			t.Fatal(err)
		}
		if got := <-deadlines; !got.IsZero() {
			t.Errorf("without a deadline the handler has %v", got)
		}
	})
}

func TestDeadlinesExpireAtBothEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		started, ended := make(chan struct{}, 1), make(chan error, 1)
		p := newPair(t, nil, nil, func(srv *rpc.Server) { register(srv, m, waiting(started, ended)) })
		begin := time.Now()
		_, err := converse(t.Context(), p.client, m, []string{""}, rpc.WithTimeout(3*time.Second))
		wantError(t, err, rpc.CodeDeadlineExceeded)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("the caller waited %v", took)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context ended with %v", err)
		}
		if p.clientConn.Err() != nil || p.serverConn.Err() != nil {
			t.Fatal("the connection has ended")
		}
	})
}

// TestTheCalleeWatchesTheDeadlineByItself has a caller that does not watch it.
func TestTheCalleeWatchesTheDeadlineByItself(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		started, ended := make(chan struct{}, 1), make(chan error, 1)
		srv := rpc.NewServer()
		register(srv, m, waiting(started, ended))
		p := serveRaw(t, srv)
		begin := time.Now()
		p.write(openFrame(1, block(methodField(m), uintField(4, 2_000_000))))
		p.wantStatus(1, rpc.CodeDeadlineExceeded)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the handler's context ended with %v", err)
		}
	})
}

// TestTheCallerWatchesTheDeadlineByItself has a callee that never responds.
func TestTheCallerWatchesTheDeadlineByItself(t *testing.T) {
	inBubble(t, func(t *testing.T, m *rpc.Method) {
		client := rpc.NewClient("ws://in.memory")
		p := callRaw(t, client)
		call := start(func() ([]string, error) {
			return converse(t.Context(), client, m, []string{""}, rpc.WithTimeout(1500*time.Millisecond))
		})
		id, fields := p.wantOpen()
		if fields.Timeout != 1500*time.Millisecond {
			t.Errorf("the timeout that was sent is %v", fields.Timeout)
		}
		p.want(frame.TypeData, id)
		if m.ClientStreams {
			p.want(frame.TypeEnd, id)
		}
		begin := time.Now()
		p.wantCancel(id)
		if took := time.Since(begin); took != 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		got := <-call
		wantError(t, got.err, rpc.CodeDeadlineExceeded)
	})
}

func TestADeadlineEndsASendThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan error, 1)
		p := newPair(t, nil, nil, func(srv *rpc.Server) {
			register(srv, download, func(_ context.Context, s rpc.Stream) error {
				for { // the peer does not receive
					if err := s.Send(text(string(make([]byte, 10_000)))); err != nil {
						out <- err
						return err
					}
				}
			})
			register(srv, upload, waiting(make(chan struct{}, 1), make(chan error, 1)))
		})
		up, err := p.client.Open(t.Context(), upload, rpc.WithTimeout(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		defer up.Close()
		for err = nil; err == nil; {
			err = up.Send(text(string(make([]byte, 10_000))))
		}
		wantError(t, err, rpc.CodeDeadlineExceeded)

		down, err := p.client.Open(t.Context(), download, rpc.WithTimeout(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		defer down.Close()
		if err := down.Send(text("")); err != nil {
			t.Fatal(err)
		}
		if err := <-out; rpc.CodeOf(err) != rpc.CodeDeadlineExceeded && rpc.CodeOf(err) != rpc.CodeCanceled {
			t.Fatalf("the handler's Send: %v", err)
		}
	})
}

func TestATimeoutOfNothingFailsBeforeTheCall(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancel()
	for _, m := range kinds {
		for _, d := range []time.Duration{0, -time.Hour} {
			_, err := client.Open(t.Context(), m, rpc.WithTimeout(d))
			wantError(t, err, rpc.CodeDeadlineExceeded)
		}
		_, err := client.Open(expired, m)
		wantError(t, err, rpc.CodeDeadlineExceeded)
	}
	s, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if id, _ := p.wantOpen(); id != 1 {
		t.Fatalf("stream %d is not the first", id)
	}
}

func TestADeadlineBeyondWhatCanBeSaidIsNone(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	ctx, cancel := context.WithDeadline(t.Context(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	defer cancel()
	s, err := client.Open(ctx, bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, fields := p.wantOpen(); fields.HasTimeout {
		t.Fatalf("the timeout is %v", fields.Timeout)
	}
}

func TestTheLongestTimeoutIsServed(t *testing.T) {
	deadlines := make(chan bool, 1)
	srv := rpc.NewServer()
	register(srv, bidi, func(ctx context.Context, _ rpc.Stream) error {
		_, ok := ctx.Deadline()
		deadlines <- ok
		return ctx.Err()
	})
	p := serveRaw(t, srv)
	p.write(openFrame(1, block(methodField(bidi), uintField(4, frame.MaxVarint))))
	p.wantStatus(1, rpc.CodeOK)
	<-deadlines // there may be one, as long as it is not over
}

// TestADeadlineTravelsOn lets a handler make a call with its own context.
func TestADeadlineTravelsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deadlines := make(chan time.Time, 1)
		services := rpc.NewMux()
		register(services, unary, func(ctx context.Context, s rpc.Stream) error {
			deadline, _ := ctx.Deadline()
			deadlines <- deadline
			return echo(ctx, s)
		})
		p := newPair(t, nil, []rpc.ClientOption{rpc.WithServices(services)}, func(srv *rpc.Server) {
			register(srv, bidi, func(ctx context.Context, _ rpc.Stream) error {
				_, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](ctx, rpc.FromContext(ctx).Conn, unary, text(""))
				return err
			})
		})
		want := time.Now().Add(7 * time.Second)
		if _, err := converse(t.Context(), p.client, bidi, nil, rpc.WithTimeout(7*time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := <-deadlines; !got.Equal(want) {
			t.Fatalf("the deadline at the end is %v, want %v", got, want)
		}
	})
}
