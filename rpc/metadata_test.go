package rpc_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/rpc"
)

// raw bytes that only a key with -bin may have.
const anyBytes = "\x00\x01\xff\n"

// labelling sets header and trailer, and then calls h.
func labelling(t *testing.T, h rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		call := rpc.FromContext(ctx)
		for _, set := range []func(string, ...string) error{call.SetHeader, call.SetTrailer} {
			for key, values := range map[string][]string{"Tag": {"z", "a"}, "hash-bin": {anyBytes}, "empty": {""}} {
				if err := set(key, values...); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
			if err := set("tag", "again"); err != nil {
				t.Error(err)
			}
		}
		return h(ctx, s)
	}
}

var labels = rpc.Metadata{"tag": {"z", "a", "again"}, "hash-bin": {anyBytes}, "empty": {""}}

func TestMetadataTravelsBothWaysInAllKinds(t *testing.T) {
	url, srv := serve(t)
	seen := make(chan rpc.Metadata, 1)
	registerAll(srv, labelling(t, func(ctx context.Context, s rpc.Stream) error {
		seen <- rpc.FromContext(ctx).Header()
		return echo(ctx, s)
	}))
	conn := dial(t, url)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		header, trailer := rpc.Metadata{"stale": {"x"}}, rpc.Metadata{"stale": {"x"}}
		_, err := converse(t.Context(), conn, m, []string{"a", "b"},
			rpc.WithMetadata("Trace-Id", "1", "2"), rpc.WithMetadata("trace-id", "0"), rpc.WithMetadata("key-BIN", anyBytes),
			rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := <-seen, (rpc.Metadata{"trace-id": {"1", "2", "0"}, "key-bin": {anyBytes}}); !reflect.DeepEqual(got, want) {
			t.Errorf("the handler saw %q, want %q", got, want)
		}
		if !reflect.DeepEqual(header, labels) || !reflect.DeepEqual(trailer, labels) {
			t.Errorf("header %q, trailer %q; want %q", header, trailer, labels)
		}
	})
}

func TestFailingCallsHaveHeaderAndTrailer(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, labelling(t, failing(rpc.Errorf(rpc.CodeAborted, "no"))))
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		var header, trailer rpc.Metadata
		_, err := converse(t.Context(), p.client, m, []string{"a"}, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
		wantCode(t, err, rpc.CodeAborted)
		if !reflect.DeepEqual(header, labels) || !reflect.DeepEqual(trailer, labels) {
			t.Errorf("header %q, trailer %q; want %q", header, trailer, labels)
		}
	})
}

func TestGeneratedCallsReadHeaderAndTrailer(t *testing.T) {
	url, _ := serve(t, rpc.WithHandlerInterceptors(func(next rpc.Handler) rpc.Handler { return labelling(t, next) }))
	ping := connect(t, url)
	var header, trailer rpc.Metadata
	for _, code := range []rpc.Code{rpc.CodeOK, rpc.CodeNotFound} {
		header, trailer = nil, nil
		_, err := ping.Ping(t.Context(), &pingv1.PingRequest{FailCode: uint32(code)}, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
		wantCode(t, err, code)
		if !reflect.DeepEqual(header, labels) || !reflect.DeepEqual(trailer, labels) {
			t.Errorf("%v: header %q, trailer %q; want %q", code, header, trailer, labels)
		}
	}
}

func TestCallsWithoutMetadataHaveNone(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		header, trailer := rpc.Metadata{"stale": {"x"}}, rpc.Metadata{"stale": {"x"}}
		_, err := converse(t.Context(), p.client, m, []string{"a"}, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
		if err != nil || len(header) != 0 || len(trailer) != 0 {
			t.Fatalf("header %q, trailer %q, %v", header, trailer, err)
		}
	})
}

func TestSendHeaderComesBeforeTheFirstMessage(t *testing.T) {
	goOn := make(chan struct{})
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
			call := rpc.FromContext(ctx)
			if err := call.SetHeader("early", "yes"); err != nil {
				t.Error(err)
			}
			for range 2 { // the second does nothing
				if err := call.SendHeader(); err != nil {
					t.Error(err)
				}
			}
			wantCode(t, call.SetHeader("late", "yes"), rpc.CodeFailedPrecondition)
			if h, err := call.ResponseHeader(); err != nil || h.Get("early") != "yes" {
				t.Errorf("the handler's own header: %q, %v", h, err)
			}
			<-goOn
			return echo(ctx, s)
		})
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		var read rpc.Metadata
		s, err := p.client.Open(t.Context(), m, rpc.ReadHeader(&read))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		header, err := s.Call().ResponseHeader() // the handler is still waiting
		if err != nil || header.Get("early") != "yes" || len(header) != 1 || read.Get("early") != "yes" {
			t.Fatalf("%q, %q, %v", header, read, err)
		}
		goOn <- struct{}{}
		if err := s.Send(text("a")); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if got, err := recvAll(s); err != nil || !slices.Equal(got, []string{"a"}) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestTheHeaderCannotBeChangedBehindTheFirstMessage(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, download, func(_ context.Context, s rpc.Stream) error {
			if err := s.Send(text("a")); err != nil {
				return err
			}
			return s.Call().SetHeader("late", "yes")
		})
	})
	var header rpc.Metadata
	_, err := converse(t.Context(), p.client, download, []string{""}, rpc.ReadHeader(&header))
	wantError(t, err, rpc.CodeFailedPrecondition)
	if len(header) != 0 {
		t.Fatalf("got %q", header)
	}
}

func TestTheTrailerCannotBeChangedBehindTheEnd(t *testing.T) {
	calls := make(chan *rpc.Call, 1)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, func(ctx context.Context, s rpc.Stream) error {
			calls <- rpc.FromContext(ctx)
			return echo(ctx, s)
		})
	})
	if _, err := converse(t.Context(), p.client, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	call := <-calls
	wantCode(t, call.SetTrailer("late", "yes"), rpc.CodeFailedPrecondition)
	if got := call.Trailer(); len(got) != 0 {
		t.Fatalf("got %q", got)
	}
}

var refusedPairs = []struct{ name, key, value string }{
	{"no key", "", "x"},
	{"space", "a b", "x"},
	{"colon", ":path", "x"},
	{"not ASCII", "straße", "x"},
	{"newline in the value", "tag", "a\nb"},
	{"byte in the value", "tag", "\x7f"},
	{"text that is not ASCII", "tag", "é"},
	{"reserved", "Parley-Trace", "x"},
	{"reserved, of bytes", "parley-bin", "x"},
}

func TestMetadataThatCannotTravelIsRefusedBeforeItIsSent(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	raw := callRaw(t, client)
	for _, pair := range refusedPairs {
		for _, m := range kinds {
			_, err := client.Open(t.Context(), m, rpc.WithMetadata("fine", "x"), rpc.WithMetadata(pair.key, pair.value), rpc.WithMetadata("", "two"))
			wantError(t, err, rpc.CodeInvalidArgument)
		}
	}
	s, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if id, _ := raw.wantOpen(); id != 1 {
		t.Fatalf("stream %d is not the first", id)
	}
}

func TestHandlersMetadataThatCannotTravelIsRefused(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, func(ctx context.Context, s rpc.Stream) error {
			for _, pair := range refusedPairs {
				wantCode(t, s.Call().SetHeader(pair.key, "fine", pair.value), rpc.CodeInvalidArgument)
				wantCode(t, s.Call().SetTrailer(pair.key, "fine", pair.value), rpc.CodeInvalidArgument)
			}
			return echo(ctx, s)
		})
	})
	var header, trailer rpc.Metadata
	_, err := converse(t.Context(), p.client, unary, []string{""}, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
	if err != nil || len(header)+len(trailer) != 0 {
		t.Fatalf("header %q, trailer %q, %v", header, trailer, err)
	}
}

func TestCallersCannotSetWhatIsTheHandlers(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	s, err := p.client.Open(t.Context(), bidi, rpc.WithMetadata("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, err := range map[string]error{
		"SendHeader": s.Call().SendHeader(),
		"SetTrailer": s.Call().SetTrailer("a", "b"),
		"SetHeader":  s.Call().SetHeader("late", "b"),
	} {
		if rpc.CodeOf(err) != rpc.CodeFailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := s.Call().Header(); !reflect.DeepEqual(got, rpc.Metadata{"a": {"b"}}) {
		t.Errorf("the caller sent %q", got)
	}
}

func TestAHandlerWithAHeaderIsCanceledWhenItsCallIsOver(t *testing.T) {
	begun, told := make(chan bool), make(chan error, 2)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
			begun <- true
			if err := s.Call().SetHeader("a", "b"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			if s.Call().Header().Get("early") != "" {
				told <- s.Call().SendHeader()
			} else {
				told <- s.Send(text("late"))
			}
			return ctx.Err()
		})
	})
	for _, opts := range [][]rpc.CallOption{nil, {rpc.WithMetadata("early", "yes")}} {
		s, err := p.client.Open(t.Context(), bidi, opts...)
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		s.Close()
		wantError(t, <-told, rpc.CodeCanceled)
	}
}

func TestMetadataIsACopy(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, func(ctx context.Context, s rpc.Stream) error {
			call := rpc.FromContext(ctx)
			call.Header()["a"][0] = "changed"
			if got := call.Header().Get("A"); got != "b" {
				t.Errorf("the call's header became %q", got)
			}
			return echo(ctx, s)
		})
	})
	if _, err := converse(t.Context(), p.client, unary, []string{""}, rpc.WithMetadata("a", "b")); err != nil {
		t.Fatal(err)
	}
}

func TestMetadataIgnoresCase(t *testing.T) {
	m := rpc.Metadata{}
	m.Set("Key", "a", "b")
	m.Append("KEY", "c")
	if got := m.Values("kEy"); !slices.Equal(got, []string{"a", "b", "c"}) || m.Get("Key") != "a" {
		t.Fatalf("got %q", got)
	}
	if m.Get("other") != "" || m.Values("other") != nil {
		t.Fatal("a key that is not there has values")
	}
	c := m.Clone()
	c.Append("key", "d")
	c.Set("key2", "x")
	if len(m) != 1 || len(m["key"]) != 3 {
		t.Fatalf("the clone shares %q", m)
	}
	if got := slices.Collect(maps.Keys(m)); !slices.Equal(got, []string{"key"}) {
		t.Fatalf("keys %q", got)
	}
}

// TestResponseHeaderAfterTheEnd asks for the header of a call that is over.
func TestResponseHeaderAfterTheEnd(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, download, echo)
		register(srv, bidi, failing(rpc.Errorf(rpc.CodeNotFound, "no")))
		register(srv, upload, labelling(t, echo))
	})
	for _, m := range []*rpc.Method{download, bidi, upload} {
		s, err := p.client.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		_, _ = recvAll(s)
		header, err := s.Call().ResponseHeader()
		if err != nil || (len(header) != 0) != (m == upload) {
			t.Errorf("%s: %q, %v", m.Service, header, err)
		}
		s.Close()
	}
}

// TestResponseHeaderReturnsTheStatusOfACallWithoutOne ends calls that have
// no header yet.
func TestResponseHeaderReturnsTheStatusOfACallWithoutOne(t *testing.T) {
	started := make(chan struct{}, 8)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, bidi, waiting(started, make(chan error, 8)))
	})
	open := func(ctx context.Context) rpc.Stream {
		s, err := p.client.Open(ctx, bidi)
		if err != nil {
			t.Fatal(err)
		}
		<-started
		return s
	}
	wait := func(s rpc.Stream, end func(), code rpc.Code) {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			_, err := s.Call().ResponseHeader()
			done <- err
		}()
		end()
		wantError(t, <-done, code)
		_, err := s.Call().ResponseHeader() // again, when it is over
		wantError(t, err, code)
		if err := s.Recv(new(wrapperspb.StringValue)); rpc.CodeOf(err) != code {
			t.Errorf("Recv: %v", err)
		}
		s.Close()
	}

	s := open(t.Context())
	wait(s, func() { s.Close() }, rpc.CodeCanceled)
	ctx, cancel := context.WithCancel(t.Context())
	wait(open(ctx), cancel, rpc.CodeCanceled)
	wait(open(t.Context()), func() { p.srv.Close() }, rpc.CodeUnavailable)
}

func TestAMalformedHeaderThatIsWaitedForEndsTheCall(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	s, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, _ := p.wantOpen()
	p.write(headerFrame(id, uintField(0, 0)))
	for range 2 {
		_, err = s.Call().ResponseHeader()
		wantError(t, err, rpc.CodeInternal)
	}
	wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeInternal)
	p.wantCancel(id)
}

// TestWhatIsReadIsThereWhenTheStatusIs ends the context of calls during Recv.
// When the status is there, header and trailer are stored.
func TestWhatIsReadIsThereWhenTheStatusIs(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { register(srv, bidi, labelling(t, echo)) })
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		var header, trailer rpc.Metadata
		s, err := p.client.Open(ctx, bidi, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(text("a")); err != nil {
			t.Fatal(err)
		}
		go cancel()
		if _, err := recvAll(s); rpc.CodeOf(err) != rpc.CodeCanceled {
			t.Fatalf("got %v", err)
		}
		if len(trailer) != 0 || len(header) != 0 && len(header) != len(labels) {
			t.Fatalf("header %q, trailer %q", header, trailer)
		}
		s.Close()
	}
}
