package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// record is the events, in order.
type record struct {
	mu     sync.Mutex
	events []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

// take returns the events since its last call.
func (r *record) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := r.events
	r.events = nil
	return events
}

// recording is an interceptor that records when it runs and how the call ended.
func (r *record) recording(name string) rpc.Interceptor {
	return func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			r.add("%s before", name)
			err := next(ctx, s)
			r.add("%s behind %v", name, rpc.CodeOf(err))
			return err
		}
	}
}

// around is an interceptor of one function.
func around(f func(ctx context.Context, s rpc.Stream, next rpc.Handler) error) rpc.Interceptor {
	return func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error { return f(ctx, s, next) }
	}
}

func TestInterceptorsAreNestedInOrderAtBothEnds(t *testing.T) {
	var r record
	url, srv := serve(t,
		rpc.WithHandlerInterceptors(r.recording("server 1"), r.recording("server 2")),
		rpc.WithHandlerInterceptors(r.recording("server 3")))
	status := error(nil)
	registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
		r.add("handler")
		if status != nil {
			return status
		}
		return echo(ctx, s)
	})
	conn := dial(t, url,
		rpc.WithCallInterceptors(r.recording("client 1"), r.recording("client 2")),
		rpc.WithCallInterceptors(r.recording("client 3")))
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		for _, code := range []rpc.Code{rpc.CodeOK, rpc.CodeNotFound} {
			if status = nil; code != rpc.CodeOK {
				status = code
			}
			_, err := converse(t.Context(), conn, m, []string{"a", "b"})
			wantCode(t, err, code)
			want := []string{"client 1 before", "client 2 before", "client 3 before", "server 1 before", "server 2 before", "server 3 before", "handler"}
			for _, name := range []string{"server 3", "server 2", "server 1", "client 3", "client 2", "client 1"} {
				want = append(want, fmt.Sprintf("%s behind %v", name, code))
			}
			if got := r.take(); !slices.Equal(got, want) {
				t.Fatalf("got  %q\nwant %q", got, want)
			}
		}
	})
}

type ctxKey struct{}

func TestInterceptorsAddMetadataAndContext(t *testing.T) {
	const wantTrailer = "handler's"
	outer := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		if err := s.Call().SetHeader("Token", "from "+s.Call().Method.Name); err != nil {
			return err
		}
		return next(context.WithValue(ctx, ctxKey{}, "outer"), s)
	})
	inner := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		if ctx.Value(ctxKey{}) != "outer" {
			t.Errorf("the inner interceptor's context has %v", ctx.Value(ctxKey{}))
		}
		if got := s.Call().Header(); got.Get("token") != "from Call" || got.Get("option") != "too" {
			t.Errorf("the inner interceptor sees %q", got)
		}
		err := next(ctx, s)
		if got := s.Call().Trailer().Get("trailer"); got != wantTrailer {
			t.Errorf("behind the call the trailer is %q", got)
		}
		if got, err := s.Call().ResponseHeader(); err != nil || got.Get("header") != "interceptor's" {
			t.Errorf("behind the call the header is %q, %v", got, err)
		}
		return err
	})
	authenticating := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		if rpc.FromContext(ctx) != s.Call() {
			t.Error("the call of the context is another one")
		}
		if err := s.Call().SetHeader("header", "interceptor's"); err != nil {
			return err
		}
		return next(context.WithValue(ctx, ctxKey{}, s.Call().Header().Get("token")), s)
	})
	p := newPair(t, []rpc.ServerOption{rpc.WithHandlerInterceptors(authenticating)},
		[]rpc.ClientOption{rpc.WithCallInterceptors(outer, inner)}, func(srv *rpc.Server) {
			registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
				if err := s.Call().SetTrailer("trailer", wantTrailer); err != nil {
					return err
				}
				if got := ctx.Value(ctxKey{}); got != "from Call" {
					return fmt.Errorf("the handler's context has %v", got)
				}
				return echo(ctx, s)
			})
		})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		if _, err := converse(t.Context(), p.client, m, []string{""}, rpc.WithMetadata("option", "too")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAServersCallsAreInterceptedToo(t *testing.T) {
	var r record
	services := rpc.NewMux()
	register(services, unary, echo)
	p := newPair(t, []rpc.ServerOption{rpc.WithCallInterceptors(r.recording("out"))},
		[]rpc.ClientOption{rpc.WithServices(services), rpc.WithHandlerInterceptors(r.recording("in"))}, nil)
	if _, err := converse(t.Context(), p.serverConn, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	if got := r.take(); !slices.Equal(got, []string{"out before", "in before", "in behind OK", "out behind OK"}) {
		t.Fatalf("got %q", got)
	}
}

func TestAnInterceptorMayChangeTheStatus(t *testing.T) {
	mapping := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		err := next(ctx, s)
		switch rpc.CodeOf(err) {
		case rpc.CodeNotFound:
			return nil
		case rpc.CodeOK:
			return rpc.Errorf(rpc.CodeAborted, "changed")
		}
		return err
	})
	status := error(nil)
	handler := func(ctx context.Context, s rpc.Stream) error {
		if status != nil {
			return status
		}
		return echo(ctx, s)
	}
	for name, options := range map[string]struct {
		server []rpc.ServerOption
		client []rpc.ClientOption
	}{
		"of a handler": {server: []rpc.ServerOption{rpc.WithHandlerInterceptors(mapping)}},
		"of a call":    {client: []rpc.ClientOption{rpc.WithCallInterceptors(mapping)}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, options.server, options.client, func(srv *rpc.Server) { registerAll(srv, handler) })
			for _, m := range kinds {
				status = nil
				_, err := converse(t.Context(), p.client, m, []string{"a"})
				wantError(t, err, rpc.CodeAborted)

				status = rpc.CodeNotFound
				got, err := listenTo(t, p.client, m)
				switch {
				case m.ServerStreams || options.client != nil: // no message, as the raw stream may report
					if err != nil || len(got) != 0 {
						t.Errorf("%s: %q, %v", m.Service, got, err)
					}
				default:
					wantError(t, err, rpc.CodeInternal) // OK needs a response
				}

				status = rpc.CodeDataLoss
				_, err = converse(t.Context(), p.client, m, []string{"a"})
				wantError(t, err, rpc.CodeDataLoss)
			}
		})
	}
}

// listenTo makes a call and only receives: a Send on a bidirectional call may
// meet the status before the interceptors have seen it.
func listenTo(t *testing.T, c rpc.Caller, m *rpc.Method) ([]string, error) {
	t.Helper()
	s, err := c.Open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !m.ClientStreams {
		if err := s.Send(text("a")); err != nil && !errors.Is(err, rpc.ErrFinished) {
			return nil, err
		}
	}
	return recvAll(s)
}

// fallback is a stream with a response of its own if the call has none.
type fallback struct{ rpc.Stream }

func (f fallback) Recv(msg any) error {
	err := f.Stream.Recv(msg)
	if errors.Is(err, rpc.CodeNotFound) {
		msg.(*pingv1.PingResponse).Text = "fallback"
		return nil
	}
	return err
}

func TestAnInterceptorMayAnswerAUnaryCallItself(t *testing.T) {
	falling := func(stream func(rpc.Stream) rpc.Stream) rpc.Interceptor {
		return around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
			if err := next(ctx, stream(s)); !errors.Is(err, rpc.CodeNotFound) {
				return err
			}
			return nil
		})
	}
	for _, c := range []struct {
		name   string
		stream func(rpc.Stream) rpc.Stream
		code   rpc.Code
	}{
		{"with an answer", func(s rpc.Stream) rpc.Stream { return fallback{s} }, rpc.CodeOK},
		{"without one", func(s rpc.Stream) rpc.Stream { return s }, rpc.CodeInternal},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, _ := serve(t)
			ping := connect(t, url, rpc.WithCallInterceptors(falling(c.stream)))
			res, err := ping.Ping(t.Context(), &pingv1.PingRequest{FailCode: uint32(rpc.CodeNotFound)})
			wantCode(t, err, c.code)
			if c.code == rpc.CodeOK && res.Text != "fallback" {
				t.Fatalf("got %v", res)
			}
		})
	}
}

func TestAnInterceptorMayRefuseACall(t *testing.T) {
	refusing := func(err error) rpc.Interceptor {
		return around(func(context.Context, rpc.Stream, rpc.Handler) error { return err })
	}
	for _, c := range []struct {
		name string
		err  error
		code rpc.Code
	}{
		{"with a status", rpc.Errorf(rpc.CodeUnauthenticated, "who?"), rpc.CodeUnauthenticated},
		{"with a plain error", errors.New("no"), rpc.CodeUnknown},
		{"with nothing", nil, rpc.CodeInternal},
	} {
		t.Run("outgoing "+c.name, func(t *testing.T) {
			client := rpc.NewClient("ws://in.memory", rpc.WithCallInterceptors(refusing(c.err)))
			p := callRaw(t, client)
			for _, m := range kinds {
				_, err := client.Open(t.Context(), m)
				wantError(t, err, c.code)
			}
			client.Close()
			if f, err := p.read(); err == nil {
				t.Errorf("%v was sent", f.Type)
			}
		})
		t.Run("incoming "+c.name, func(t *testing.T) {
			p := newPair(t, []rpc.ServerOption{rpc.WithHandlerInterceptors(refusing(c.err))}, nil, func(srv *rpc.Server) {
				registerAll(srv, func(context.Context, rpc.Stream) error {
					t.Error("the handler was called")
					return nil
				})
			})
			for _, m := range kinds {
				_, err := converse(t.Context(), p.client, m, []string{"a"})
				if c.err == nil && m.ServerStreams {
					wantCode(t, err, rpc.CodeOK) // nothing is missing
					continue
				}
				wantError(t, err, c.code)
			}
		})
	}
}

func TestNextMayBeCalledOnce(t *testing.T) {
	var second error
	twice := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		err := next(ctx, s)
		second = next(ctx, s)
		return err
	})
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(twice)}, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		if _, err := converse(t.Context(), p.client, m, []string{""}); err != nil {
			t.Fatal(err)
		}
		wantError(t, second, rpc.CodeInternal)
	})
	p.client.Close() // now neither attempt can open the call
	<-p.clientConn.Done()
	_, err := p.clientConn.Open(t.Context(), unary)
	wantError(t, err, rpc.CodeCanceled)
	wantError(t, second, rpc.CodeInternal)
}

func TestAnInterceptorCannotMakeACallOfOneThatWasNotOpened(t *testing.T) {
	forgiving := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		_ = next(ctx, s)
		return nil
	})
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(forgiving)}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.clientConn.Open(ctx, unary)
	wantError(t, err, rpc.CodeCanceled)
}

func TestACallCannotBeUsedBeforeNext(t *testing.T) {
	early := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		_, headerErr := s.Call().ResponseHeader()
		for name, err := range map[string]error{
			"Send": s.Send(text("")), "Recv": s.Recv(new(wrapperspb.StringValue)), "CloseSend": s.CloseSend(), "ResponseHeader": headerErr,
		} {
			if rpc.CodeOf(err) != rpc.CodeFailedPrecondition {
				t.Errorf("%s: %v", name, err)
			}
		}
		return next(ctx, s)
	})
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(early)}, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		if _, err := converse(t.Context(), p.client, m, []string{""}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestInterceptorsSeeTheStatusThatStopsASend(t *testing.T) {
	var r record
	mapping := around(func(ctx context.Context, s rpc.Stream, next rpc.Handler) error {
		if err := next(ctx, s); rpc.CodeOf(err) != rpc.CodeUnauthenticated {
			return err
		}
		return rpc.CodePermissionDenied
	})
	client := rpc.NewClient("ws://in.memory", rpc.WithCallInterceptors(mapping, r.recording("call")))
	p := callRaw(t, client)
	for _, m := range kinds {
		want := rpc.CodePermissionDenied
		if m == bidi {
			want = rpc.CodeUnauthenticated // Recv returns the status, after the messages
		}
		var trailer rpc.Metadata
		call := start(func() ([]string, error) {
			big := strings.Repeat("x", 1<<20-100) // more than its credit
			return converse(t.Context(), client, m, []string{big, big}, rpc.ReadTrailer(&trailer))
		})
		id := p.takeCall()
		p.write(endFrame(id, block(uintField(2, uint64(rpc.CodeUnauthenticated)), metadataField("why", "token"))))
		p.write(resetFrame(id, 1, ""))
		got := <-call
		wantCode(t, got.err, want)
		if events := r.take(); !slices.Equal(events, []string{"call before", "call behind UNAUTHENTICATED"}) || trailer.Get("why") != "token" {
			t.Fatalf("%s: %q, trailer %q", m.Service, events, trailer)
		}
	}
}

func TestGeneratedCallsAreIntercepted(t *testing.T) {
	var r record
	url, _ := serve(t)
	client := rpc.NewClient(url, rpc.WithCallInterceptors(r.recording("call")))
	defer client.Close()
	ping := pingv1parley.NewPingServiceClient(client)
	_, err := ping.Ping(t.Context(), &pingv1.PingRequest{FailCode: 9})
	wantError(t, err, rpc.CodeFailedPrecondition)
	numbers, err := ping.CountUp(t.Context(), &pingv1.CountUpRequest{To: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range numbers.All() {
		if err == nil {
			break
		}
	}
	want := []string{"call before", "call behind FAILED_PRECONDITION", "call before", "call behind CANCELED"}
	if got := r.take(); !slices.Equal(got, want) {
		t.Fatalf("got %q", got)
	}
}
