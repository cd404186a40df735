package rpc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// memoryFlow is a MessageFlow without a network.
type memoryFlow struct {
	requests [][]byte
	wait     <-chan struct{} // Recv waits for it after the last request; nil: the requests end
	events   []string        // what was sent, in order
	header   rpc.Metadata
	trailer  rpc.Metadata
}

func (f *memoryFlow) Recv() ([]byte, error) {
	if len(f.requests) == 0 {
		if f.wait != nil {
			<-f.wait
			return nil, errors.New("the caller has left")
		}
		return nil, io.EOF
	}
	next := f.requests[0]
	f.requests = f.requests[1:]
	return next, nil
}

func (f *memoryFlow) SetHeader(md rpc.Metadata) {
	f.header = md
	f.events = append(f.events, "header")
}

func (f *memoryFlow) SendHeader() error {
	f.events = append(f.events, "send header")
	return nil
}

func (f *memoryFlow) SetTrailer(md rpc.Metadata) {
	f.trailer = md
	f.events = append(f.events, "trailer")
}

func (f *memoryFlow) Send(msg []byte) error {
	var m wrapperspb.StringValue
	if err := proto.Unmarshal(msg, &m); err != nil {
		return err
	}
	f.events = append(f.events, m.Value)
	return nil
}

// quietly is for tests of what is logged.
var quietly = rpc.WithLogger(slog.New(slog.DiscardHandler))

// bridged makes a call of m on a bridge.
func bridged(ctx context.Context, b *rpc.Bridge, m *rpc.Method, f *memoryFlow, texts ...string) error {
	for _, s := range texts {
		data, err := proto.Marshal(text(s))
		if err != nil {
			return err
		}
		f.requests = append(f.requests, data)
	}
	return b.Serve(ctx, rpc.BridgedCall{
		Service: m.Service, Name: m.Name, Peer: &rpc.Peer{Host: "here"}, Messages: f,
		Metadata: rpc.Metadata{"key": {"a", "b"}, "raw-bin": {"\x00\xff"}, "Upper": {"x"}, "parley-own": {"x"}, "bad": {"line\nbreak"}},
	})
}

// newBridge returns a bridge whose services all are h.
func newBridge(t *testing.T, h rpc.Handler, opts ...rpc.ServerOption) (*rpc.Bridge, *rpc.Server) {
	t.Helper()
	srv := rpc.NewServer(opts...)
	t.Cleanup(func() { srv.Close() })
	registerAll(srv, h)
	return rpc.NewBridge(srv), srv
}

func TestABridgeServesAllKindsOfCalls(t *testing.T) {
	b, _ := newBridge(t, echo)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		texts := []string{"a"}
		if m.ClientStreams {
			texts = []string{"a", "b", "c"}
		}
		var f memoryFlow
		if err := bridged(t.Context(), b, m, &f, texts...); err != nil || !slices.Equal(f.events, echoed(m, texts)) {
			t.Errorf("got %q, %v", f.events, err)
		}
	})
}

func TestAHandlerBehindABridgeHasItsCall(t *testing.T) {
	passed := 0
	around := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			passed++
			return next(ctx, s)
		}
	}
	b, _ := newBridge(t, func(ctx context.Context, s rpc.Stream) error {
		call := rpc.FromContext(ctx)
		want := rpc.Metadata{"key": {"a", "b"}, "raw-bin": {"\x00\xff"}}
		if got := call.Header(); !reflect.DeepEqual(got, want) || call.HeaderValue("Key") != "a" {
			t.Errorf("metadata %q", got)
		}
		if call.Conn != nil || call.Peer.Host != "here" || call.CodecName() != rpc.CodecProto || call.IsUnknown() {
			t.Errorf("call %+v", call)
		}
		if err := errors.Join(call.SetHeader("h", "1"), call.SetTrailer("t", "2"), call.SendHeader()); err != nil {
			return err
		}
		if err := call.SetHeader("h", "late"); rpc.CodeOf(err) != rpc.CodeFailedPrecondition {
			t.Errorf("a late header: %v", err)
		}
		return echo(ctx, s)
	}, rpc.WithHandlerInterceptors(around))
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		var f memoryFlow
		if err := bridged(t.Context(), b, m, &f, "a"); err != nil {
			t.Fatal(err)
		}
		want := []string{"header", "send header", "trailer", "a"}
		if m.ServerStreams {
			want = []string{"header", "send header", "a", "trailer"}
		}
		if !slices.Equal(f.events, want) || f.header.Get("h") != "1" || f.trailer.Get("t") != "2" {
			t.Errorf("events %q, header %q, trailer %q", f.events, f.header, f.trailer)
		}
	})
	if passed != len(kinds) {
		t.Errorf("the interceptor has seen %d calls", passed)
	}
}

func TestABridgeReturnsTheStatusOfACall(t *testing.T) {
	withDetail := rpc.Errorf(rpc.CodeNotFound, "no row 7").WithDetail(text("detail"))
	cases := map[string]struct {
		h    rpc.Handler
		want rpc.Code
		says string
	}{
		"an error with a detail": {failing(withDetail), rpc.CodeNotFound, "no row 7"},
		"another error":          {failing(errors.New("odd")), rpc.CodeUnknown, "odd"},
		"a refusal":              {failing(rpc.Refuse("not here")), rpc.CodeUnavailable, "not here"},
		"a panic":                {func(context.Context, rpc.Stream) error { panic("SECRET") }, rpc.CodeInternal, "panicked"},
		"no response":            {failing(nil), rpc.CodeInternal, "no response"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b, _ := newBridge(t, c.h, quietly)
			err := bridged(t.Context(), b, kinds[0], new(memoryFlow), "a")
			wantError(t, err, c.want)
			if s := err.Error(); !strings.Contains(s, c.says) || strings.Contains(s, "SECRET") {
				t.Errorf("status %q", s)
			}
			if details := rpc.StatusOf(err).Details(); c.want == rpc.CodeNotFound && len(details) != 1 {
				t.Errorf("%d details", len(details))
			}
		})
	}
}

func TestABridgeRefusesWhatAHandlerCannotTake(t *testing.T) {
	b, _ := newBridge(t, echo, small)
	serve := func(c rpc.BridgedCall, requests ...[]byte) error {
		c.Peer, c.Messages = new(rpc.Peer), &memoryFlow{requests: requests}
		if c.Service == "" {
			c.Service, c.Name = kinds[0].Service, kinds[0].Name
		}
		return b.Serve(t.Context(), c)
	}
	many := make(rpc.Metadata)
	for range 257 {
		many.Append("k", "v")
	}
	wantError(t, serve(rpc.BridgedCall{Service: "no.Service", Name: "Call"}), rpc.CodeUnimplemented)
	wantError(t, serve(rpc.BridgedCall{Codec: "cbor"}), rpc.CodeUnimplemented)
	wantError(t, serve(rpc.BridgedCall{Metadata: many}), rpc.CodeResourceExhausted)
	wantError(t, serve(rpc.BridgedCall{}, []byte{0xff}), rpc.CodeInvalidArgument)
	wantError(t, serve(rpc.BridgedCall{}, make([]byte, 64<<10+1)), rpc.CodeResourceExhausted)
	wantError(t, serve(rpc.BridgedCall{}, nil, nil), rpc.CodeUnimplemented)
}

func TestABridgedCallEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBridge(t, func(ctx context.Context, _ rpc.Stream) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, bridged(ctx, b, kinds[0], new(memoryFlow)), rpc.CodeDeadlineExceeded)
		wantError(t, bridged(ctx, b, kinds[0], new(memoryFlow)), rpc.CodeDeadlineExceeded)
		soon := rpc.WithExpiry(t.Context(), time.Now().Add(time.Minute))
		wantError(t, bridged(soon, b, kinds[0], new(memoryFlow)), rpc.CodeUnauthenticated)
	})
}

func TestAReceiveEndsWithItsBridgedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBridge(t, func(_ context.Context, s rpc.Stream) error {
			err := s.Recv(text(""))
			wantError(t, s.Recv(text("")), rpc.CodeOf(err))
			return err
		})
		for want, ctx := range map[rpc.Code]func(time.Time) (context.Context, context.CancelFunc){
			rpc.CodeDeadlineExceeded: func(end time.Time) (context.Context, context.CancelFunc) {
				return context.WithDeadline(t.Context(), end)
			},
			rpc.CodeUnauthenticated: func(end time.Time) (context.Context, context.CancelFunc) {
				return rpc.WithExpiry(t.Context(), end), func() {}
			},
		} {
			interrupted := make(chan struct{})
			ctx, cancel := ctx(time.Now().Add(time.Minute))
			wantError(t, b.Serve(ctx, rpc.BridgedCall{
				Service: bidi.Service, Name: bidi.Name, Peer: new(rpc.Peer),
				Messages: &memoryFlow{wait: interrupted}, Interrupt: func() { close(interrupted) },
			}), want)
			cancel()
		}
	})
}

func TestAShutdownWaitsForBridgedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := newBridge(t, func(ctx context.Context, s rpc.Stream) error {
			<-rpc.Draining(ctx)
			<-time.After(time.Second) // it takes its time
			return s.Send(text("done"))
		})
		var f memoryFlow
		ended := make(chan error, 1)
		go func() { ended <- bridged(t.Context(), b, kinds[0], &f) }()
		synctest.Wait()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil || !slices.Equal(f.events, []string{"done"}) {
			t.Errorf("the call in flight got %q, %v", f.events, err)
		}
		wantError(t, bridged(t.Context(), b, kinds[0], new(memoryFlow)), rpc.CodeUnavailable)
	})
}

func TestACloseCutsBridgedCallsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := newBridge(t, func(ctx context.Context, _ rpc.Stream) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ended := make(chan error, 1)
		go func() { ended <- bridged(t.Context(), b, kinds[0], new(memoryFlow)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		wantError(t, <-ended, rpc.CodeUnavailable)
	})
}

func TestBridgedCallsCountAsThoseOfOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b, _ := newBridge(t, func(_ context.Context, s rpc.Stream) error {
			<-release
			return s.Send(text(""))
		}, rpc.WithLimits(rpc.Limits{MaxCalls: 4}))
		ended := make(chan error, 2)
		for range 2 {
			go func() { ended <- bridged(t.Context(), b, kinds[0], new(memoryFlow)) }()
		}
		synctest.Wait()
		wantError(t, bridged(t.Context(), b, kinds[0], new(memoryFlow)), rpc.CodeUnavailable)
		close(release)
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatAHandlerLeavesBehindCannotSend(t *testing.T) {
	var left rpc.Stream
	b, _ := newBridge(t, func(ctx context.Context, s rpc.Stream) error {
		left = s
		return echo(ctx, s)
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		var f memoryFlow
		if err := bridged(t.Context(), b, m, &f, "a"); err != nil {
			t.Fatal(err)
		}
		wantError(t, left.Send(text("late")), rpc.CodeCanceled)
		wantError(t, left.Recv(text("")), rpc.CodeCanceled)
		wantError(t, left.Call().SetTrailer("late", "x"), rpc.CodeFailedPrecondition)
		if slices.Contains(f.events, "late") {
			t.Errorf("events %q", f.events)
		}
	})
}

func TestABridgeServesMethodsThatAreNotRegistered(t *testing.T) {
	b, srv := newBridge(t, echo)
	srv.HandleUnknown(func(ctx context.Context, s rpc.Stream) error {
		if !s.Call().IsUnknown() {
			t.Error("the method counts as registered")
		}
		return echo(ctx, s)
	})
	m, registered, err := b.Lookup("any.Service", "Call")
	if err != nil || registered || m.Path() != "any.Service/Call" {
		t.Fatalf("%+v, %v, %v", m, registered, err)
	}
	for _, unary := range []bool{false, true} {
		data, _ := proto.Marshal(text("a"))
		f := memoryFlow{requests: [][]byte{data}}
		err := b.Serve(t.Context(), rpc.BridgedCall{Service: "any.Service", Name: "Call", Unary: unary, Peer: new(rpc.Peer), Messages: &f})
		if err != nil || !slices.Equal(f.events, []string{"a"}) {
			t.Errorf("unary %v: %q, %v", unary, f.events, err)
		}
	}
}

func TestABridgeAuthenticatesRequests(t *testing.T) {
	b, _ := newBridge(t, echo, quietly, rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		switch r.Header.Get("Authorization") {
		case "ada":
			return rpc.WithPrincipal(r.Context(), "ada"), nil
		case "old":
			return rpc.WithExpiry(r.Context(), time.Now().Add(-time.Hour)), nil
		case "broken":
			return nil, errors.New("SECRET")
		}
		return nil, rpc.Errorf(rpc.CodeUnauthenticated, "say who you are")
	}))
	ask := func(who string) (context.Context, error) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", who)
		return b.Authenticate(r)
	}
	if ctx, err := ask("ada"); err != nil || rpc.Principal(ctx) != "ada" {
		t.Errorf("ada: %v", err)
	}
	for who, want := range map[string]rpc.Code{"": rpc.CodeUnauthenticated, "old": rpc.CodeUnauthenticated, "broken": rpc.CodeUnknown} {
		_, err := ask(who)
		wantError(t, err, want)
		if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the client learns %q", err)
		}
	}
}

func TestABridgeChecksWhichPagesMayCall(t *testing.T) {
	b, _ := newBridge(t, echo, quietly, rpc.WithOrigins("https://page.test"), rpc.WithHosts("example.com"))
	for _, c := range []struct {
		method, host, origin string
		allowed              bool
	}{
		{"POST", "example.com", "", true},
		{"POST", "other.test", "", true}, // no page
		{"GET", "example.com", "", true},
		{"GET", "other.test", "", false}, // perhaps a page that has made its name resolve to this server
		{"POST", "example.com", "https://example.com", true},
		{"POST", "example.com", "https://page.test", true},
		{"GET", "example.com", "https://evil.test", false},
		{"POST", "example.com", "https://evil.test", false},
		{"POST", "other.test", "https://page.test", false},
	} {
		r := httptest.NewRequest(c.method, "http://"+c.host+"/", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		err := b.CheckOrigin(r)
		if (err == nil) != c.allowed || err != nil && rpc.CodeOf(err) != rpc.CodePermissionDenied {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
