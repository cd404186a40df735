package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// codes are all codes of a failed call.
func codes() (all []rpc.Code) {
	for c := rpc.CodeCanceled; c <= rpc.CodeUnauthenticated; c++ {
		all = append(all, c)
	}
	return all
}

func TestAllCodesTravelWithDetailsBothWays(t *testing.T) {
	failed := func(ctx context.Context, _ rpc.Stream) error {
		var code rpc.Code
		if _, err := fmt.Sscan(rpc.FromContext(ctx).Header().Get("code"), (*uint32)(&code)); err != nil {
			return err
		}
		return rpc.Errorf(code, "as %v", code).
			WithDetail(&pingv1.PingFailure{Text: "first"}).
			WithDetail(&pingv1.PingFailure{Text: "second"})
	}
	services := rpc.NewMux()
	registerAll(services, failed)
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithServices(services)}, func(srv *rpc.Server) { registerAll(srv, failed) })
	for _, caller := range []rpc.Caller{p.client, p.serverConn} {
		for _, m := range kinds {
			for _, code := range codes() {
				_, err := converse(t.Context(), caller, m, []string{""}, rpc.WithMetadata("code", fmt.Sprint(uint32(code))))
				wantCode(t, err, code)
				var e *rpc.Error
				if !errors.As(err, &e) || e.Message() != "as "+code.String() || e.Error() != code.String()+": as "+code.String() {
					t.Fatalf("got %v", err)
				}
				wantDetails(t, e, "first", "second")
			}
		}
	}
}

// wantDetails compares the texts of an error's details.
func wantDetails(t *testing.T, e *rpc.Error, texts ...string) {
	t.Helper()
	if len(e.Details()) != len(texts) {
		t.Fatalf("got %d details, want %d", len(e.Details()), len(texts))
	}
	for i, d := range e.Details() {
		m, err := d.UnmarshalNew()
		if f, ok := m.(*pingv1.PingFailure); err != nil || !ok || f.Text != texts[i] {
			t.Fatalf("detail %v, %v; want %q", m, err, texts[i])
		}
	}
}

// ownError is an application's error. It may be a nil pointer, by mistake.
type ownError struct{ text string }

func (e *ownError) Error() string { return "own: " + e.text }

// translated is an error with its own text that wraps another one.
type translated struct {
	text  string
	inner error
}

func (e *translated) Error() string { return e.text }
func (e *translated) Unwrap() error { return e.inner }

func TestWhatAHandlerReturnsBecomesTheStatus(t *testing.T) {
	notFound := rpc.Errorf(rpc.CodeNotFound, "user %q", "ann")
	for _, c := range []struct {
		name    string
		err     error
		code    rpc.Code
		message string // "": not checked
	}{
		{"a plain error", errors.New("plain"), rpc.CodeUnknown, "plain"},
		{"a wrapped plain error", fmt.Errorf("while: %w", io.ErrUnexpectedEOF), rpc.CodeUnknown, "while: unexpected EOF"},
		{"the end of a file", io.EOF, rpc.CodeUnknown, "EOF"},
		{"a deadline", context.DeadlineExceeded, rpc.CodeDeadlineExceeded, ""},
		{"a wrapped deadline", fmt.Errorf("database: %w", context.DeadlineExceeded), rpc.CodeDeadlineExceeded, ""},
		{"a cancellation", context.Canceled, rpc.CodeCanceled, ""},
		{"a deadline of a file", fmt.Errorf("file: %w", os.ErrDeadlineExceeded), rpc.CodeUnknown, ""},
		{"an Error", notFound, rpc.CodeNotFound, `user "ann"`},
		{"a wrapped Error", fmt.Errorf("load: %w", notFound), rpc.CodeNotFound, `load: user "ann"`},
		{"an Error wrapped twice", fmt.Errorf("a: %w (b)", fmt.Errorf("load: %w", notFound)), rpc.CodeNotFound, `a: load: user "ann" (b)`},
		{"a wrapped Error without a text", fmt.Errorf("load: %w", rpc.Errorf(rpc.CodeNotFound, "")), rpc.CodeNotFound, "load: NOT_FOUND"},
		{"an Error in one with other words", &translated{"kein Nutzer", notFound}, rpc.CodeNotFound, "kein Nutzer"},
		{"an Error in one without words", &translated{"", notFound}, rpc.CodeNotFound, `user "ann"`},
		{"an Error among several", errors.Join(io.EOF, notFound), rpc.CodeNotFound, "EOF\nuser \"ann\""},
		{"an Error around another", rpc.Errorf(rpc.CodeInternal, "load: %w", notFound), rpc.CodeInternal, `load: NOT_FOUND: user "ann"`},
		{"an Error around a cancellation", rpc.Errorf(rpc.CodeAborted, "%w", context.Canceled), rpc.CodeAborted, "context canceled"},
		{"a Code", rpc.CodeDataLoss, rpc.CodeDataLoss, "DATA_LOSS"},
		{"a wrapped Code", fmt.Errorf("disk: %w", rpc.CodeDataLoss), rpc.CodeDataLoss, "disk: DATA_LOSS"},
		{"an Error without a text", rpc.Errorf(rpc.CodeAborted, ""), rpc.CodeAborted, ""},
		{"an Error with OK", rpc.Errorf(rpc.CodeOK, "fine?"), rpc.CodeInternal, ""},
		{"the Code OK", rpc.CodeOK, rpc.CodeInternal, ""},
		{"a Code that does not exist", rpc.Errorf(99, "what?"), rpc.CodeUnknown, "what?"},
		{"a nil Error", (*rpc.Error)(nil), rpc.CodeInternal, ""},
		{"a nil error of another type", (*ownError)(nil), rpc.CodeUnknown, ""},
		{"text that is not UTF-8", rpc.Errorf(rpc.CodeAborted, "a\xffb"), rpc.CodeAborted, "a\uFFFDb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, failing(c.err)) })
			for _, m := range kinds {
				_, err := converse(t.Context(), p.client, m, []string{""})
				wantError(t, err, c.code)
				var e *rpc.Error
				if errors.As(err, &e); c.message != "" && e.Message() != c.message {
					t.Errorf("%s: message %q, want %q", m.Service, e.Message(), c.message)
				}
			}
			if got := rpc.CodeOf(c.err); got != c.code && got != 99 {
				t.Errorf("CodeOf says %v", got)
			}
		})
	}
}

// statusOf makes a call and returns the status from Recv. If there may be
// messages to receive, Send returns the status before the interceptors.
func statusOf(t *testing.T, c rpc.Caller, m *rpc.Method) error {
	t.Helper()
	s, err := c.Open(t.Context(), m)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Send(text("")) == nil {
		_ = s.CloseSend() // fails as Recv does
	}
	_, err = recvAll(s)
	return err
}

// TestAWrappedErrorKeepsItsCodeAndDetails: the caller gets the text that a
// handler has wrapped around the error of another call, with the same code and
// details.
func TestAWrappedErrorKeepsItsCodeAndDetails(t *testing.T) {
	inner := rpc.Errorf(rpc.CodeNotFound, "no row 7").WithDetail(&pingv1.PingFailure{Text: "first"})
	wrapped := fmt.Errorf("asking the shard eu-3: %w", inner)
	wrapping := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			if err := next(ctx, s); err != nil {
				return fmt.Errorf("asking the shard eu-3: %w", err)
			}
			return nil
		}
	}
	for name, p := range map[string]*pair{
		"by the handler": newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, failing(wrapped)) }),
		"by an interceptor of the handler": newPair(t, []rpc.ServerOption{rpc.WithHandlerInterceptors(wrapping)}, nil,
			func(srv *rpc.Server) { registerAll(srv, failing(inner)) }),
		"by an interceptor of the call": newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(wrapping)},
			func(srv *rpc.Server) { registerAll(srv, failing(inner)) }),
	} {
		for _, m := range kinds {
			err := statusOf(t, p.client, m)
			var e *rpc.Error
			if !errors.As(err, &e) || e.Error() != "NOT_FOUND: asking the shard eu-3: no row 7" {
				t.Fatalf("%s, %s: %v", name, m.Service, err)
			}
			wantDetails(t, e, "first")
		}
	}
	status := rpc.StatusOf(wrapped)
	var e *rpc.Error
	if status.Error() != "NOT_FOUND: asking the shard eu-3: no row 7" || !errors.Is(status, wrapped) || !errors.As(status, &e) || e != status {
		t.Errorf("StatusOf says %v", status)
	}
	if rpc.StatusOf(nil) != nil || rpc.StatusOf(inner) != inner {
		t.Error("StatusOf changes what needs no change")
	}
}

func TestErrorsAreFoundThroughLayers(t *testing.T) {
	inner := rpc.Errorf(rpc.CodeNotFound, "no %s: %w", "file", os.ErrNotExist)
	err := fmt.Errorf("outer: %w", fmt.Errorf("middle: %w", inner))
	var e *rpc.Error
	switch {
	case !errors.Is(err, rpc.CodeNotFound), errors.Is(err, rpc.CodeInternal):
		t.Error("errors.Is does not find the code, or another")
	case !errors.Is(err, os.ErrNotExist):
		t.Error("errors.Is does not find what was wrapped")
	case !errors.As(err, &e) || e != inner || e.Message() != "no file: file does not exist":
		t.Errorf("errors.As found %v", e)
	case rpc.CodeOf(err) != rpc.CodeNotFound, rpc.CodeOf(nil) != rpc.CodeOK, rpc.CodeOf(io.EOF) != rpc.CodeUnknown:
		t.Error("CodeOf")
	}
	if err := rpc.Errorf(rpc.CodeAborted, "%w, %w", io.EOF, os.ErrNotExist); !errors.Is(err, io.EOF) || !errors.Is(err, os.ErrNotExist) {
		t.Error("an error that wraps two hides them")
	}
	if errors.Is(rpc.Errorf(rpc.CodeAborted, "%v", io.EOF), io.EOF) {
		t.Error("what was only printed is found")
	}
}

func TestACauseDoesNotTravel(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, failing(rpc.Errorf(rpc.CodeAborted, "%w", io.ErrUnexpectedEOF)))
	})
	_, err := converse(t.Context(), p.client, unary, []string{""})
	wantError(t, err, rpc.CodeAborted)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal("an error of the server's process is found at the client")
	}
}

func TestCodesHaveTheNamesOfTheSpecification(t *testing.T) {
	names := strings.Fields(`OK CANCELED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED
		RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED`)
	for n, name := range names {
		if c := rpc.Code(n); c.String() != name || c.Error() != name {
			t.Errorf("%d is %v, want %s", n, c, name)
		}
	}
	if got := rpc.Code(len(names)).String(); got != "CODE_17" {
		t.Errorf("got %s", got)
	}
}

func TestADetailIsAddedToACopy(t *testing.T) {
	base := rpc.Errorf(rpc.CodeAborted, "base")
	one := base.WithDetail(&pingv1.PingFailure{Text: "one"})
	two, other := one.WithDetail(&pingv1.PingFailure{Text: "two"}), one.WithDetail(&pingv1.PingFailure{Text: "other"})
	wantDetails(t, base)
	wantDetails(t, one, "one")
	wantDetails(t, two, "one", "two")
	wantDetails(t, other, "one", "other")
	wantError(t, base.WithDetail(nil), rpc.CodeInternal)

	foreign := &anypb.Any{TypeUrl: "type.googleapis.com/somebody.Else", Value: []byte("x")}
	if d := base.WithDetail(foreign).Details(); len(d) != 1 || !proto.Equal(d[0], foreign) {
		t.Errorf("a detail that is packed already became %v", d)
	}
}

func TestATrailerOverThePeersLimitIsShortened(t *testing.T) {
	detail := &pingv1.PingFailure{Text: strings.Repeat("d", 5000)}
	label := strings.Repeat("m", 5000)
	long := strings.Repeat("ä", 5000)
	crooked := strings.Repeat("a\xff", 5000) // grows when it is converted to UTF-8
	for _, c := range []struct {
		name            string
		status          *rpc.Error // nil: OK
		trailer         string
		details, labels int // that are left
		message         string
		cut             bool // message is cut
	}{
		{"details go first", rpc.Errorf(rpc.CodeAborted, "text").WithDetail(detail), "m", 0, 1, "text", false},
		{"then the metadata", rpc.Errorf(rpc.CodeAborted, "text").WithDetail(detail), label, 0, 0, "text", false},
		{"metadata of a call that is OK", nil, label, 0, 0, "", false},
		{"the tail of the message last", rpc.Errorf(rpc.CodeAborted, "%s", long).WithDetail(detail), label, 0, 0, long, true},
		{"a message that is not UTF-8", rpc.Errorf(rpc.CodeAborted, "%s", crooked), "m", 0, 0, strings.ToValidUTF8(crooked, "\uFFFD"), true},
		{"what fits stays", rpc.Errorf(rpc.CodeAborted, "text").WithDetail(&pingv1.PingFailure{}), "m", 1, 1, "text", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := rpc.NewServer()
			register(srv, bidi, func(ctx context.Context, _ rpc.Stream) error {
				if err := rpc.FromContext(ctx).SetTrailer("label", c.trailer); err != nil || c.status == nil {
					return err
				}
				return c.status
			})
			p := serveRaw(t, srv) // accepts 4096 bytes
			p.write(openFrame(1, methodField(bidi)))
			f := p.want(frame.TypeEnd, 1)
			end, err := rpc.ParseEnd(f.payload)
			if err != nil || len(f.payload) > 4096 {
				t.Fatalf("%d bytes, %v", len(f.payload), err)
			}
			if len(end.Trailer) != c.labels {
				t.Errorf("%d labels are left, want %d", len(end.Trailer), c.labels)
			}
			if c.status == nil {
				if end.Code != rpc.CodeOK {
					t.Errorf("got %v", end.Status)
				}
				return
			}
			wantError(t, end.Status, c.status.Code())
			got := end.Status.Message()
			if len(end.Status.Details()) != c.details || !strings.HasPrefix(c.message, got) || (len(got) < len(c.message)) != c.cut {
				t.Errorf("%d details and %d bytes of the message are left", len(end.Status.Details()), len(got))
			}
			if c.cut && len(got) < 1500 {
				t.Errorf("only %d bytes of the message are left", len(got))
			}
		})
	}
}

func TestADetailThatCannotBeEncodedIsLeftOut(t *testing.T) {
	// A required field that is not set is an error of proto.Marshal only in
	// proto2; a string that is not UTF-8 is one in proto3.
	bad := rpc.Errorf(rpc.CodeAborted, "text").WithDetail(&pingv1.PingFailure{Text: "\xff"})
	wantError(t, bad, rpc.CodeInternal)
	if _, err := proto.Marshal(&pingv1.PingFailure{Text: "\xff"}); err == nil {
		t.Fatal("the detail can be encoded after all")
	}
}
