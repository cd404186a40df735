package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// journal is a log in memory.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(j, nil)) }

// lines returns the log, with an entry for each attribute.
func (j *journal) lines(t *testing.T) (lines []map[string]any) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for dec := json.NewDecoder(bytes.NewReader(j.buf.Bytes())); ; {
		var line map[string]any
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
}

const secret = "the password is swordfish"

func panicking(context.Context, rpc.Stream) error { panic(secret) }

func TestAPanicIsLoggedAndHiddenFromTheCaller(t *testing.T) {
	var log journal
	url, srv := serve(t, rpc.WithLogger(log.logger()))
	registerAll(srv, panicking)
	conn := dial(t, url)
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		before := len(log.lines(t))
		_, err := converse(t.Context(), conn, m, []string{"a"})
		wantError(t, err, rpc.CodeInternal)
		if strings.Contains(err.Error(), "swordfish") {
			t.Errorf("the caller was told %v", err)
		}
		lines := log.lines(t)[before:]
		if len(lines) != 1 || lines[0]["panic"] != secret || lines[0]["method"] != m.Path() || lines[0]["level"] != "ERROR" {
			t.Fatalf("logged %v", lines)
		}
		if stack, _ := lines[0]["stack"].(string); !strings.Contains(stack, "panicking") {
			t.Errorf("the stack does not show who panicked: %s", stack)
		}
	})
	if err := conn.Err(); err != nil {
		t.Fatalf("the connection has ended: %v", err)
	}
}

func TestAPanicInAClientsHandlerIsLoggedThere(t *testing.T) {
	var log journal
	services := rpc.NewMux()
	register(services, unary, panicking)
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithServices(services), rpc.WithLogger(log.logger())}, nil)
	_, err := converse(t.Context(), p.serverConn, unary, []string{""})
	wantError(t, err, rpc.CodeInternal)
	if lines := log.lines(t); len(lines) != 1 || lines[0]["panic"] != secret {
		t.Fatalf("logged %v", lines)
	}
}

// TestAPanicTakesThePlaceOfAnAnswer has handlers that panic after they have
// responded.
func TestAPanicTakesThePlaceOfAnAnswer(t *testing.T) {
	p := newPair(t, []rpc.ServerOption{rpc.WithLogger(slog.New(slog.DiscardHandler))}, nil, func(srv *rpc.Server) {
		registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
			if err := echo(ctx, s); err != nil { // when the caller has sent everything
				return err
			}
			panic(secret)
		})
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		got, err := converse(t.Context(), p.client, m, []string{""})
		wantError(t, err, rpc.CodeInternal)
		if (len(got) == 1) != m.ServerStreams {
			t.Errorf("got %q", got)
		}
	})
}

func TestAHandlerMayEndItsGoroutine(t *testing.T) {
	var log journal
	p := newPair(t, []rpc.ServerOption{rpc.WithLogger(log.logger())}, nil, func(srv *rpc.Server) {
		registerAll(srv, func(context.Context, rpc.Stream) error {
			runtime.Goexit()
			return nil
		})
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		before := len(log.lines(t))
		for range 3 {
			_, err := converse(t.Context(), p.client, m, []string{""})
			wantError(t, err, rpc.CodeInternal)
		}
		if lines := log.lines(t)[before:]; len(lines) != 3 || lines[0]["method"] != m.Path() {
			t.Errorf("logged %v", lines)
		}
	})
}

// treacherous is an error whose methods panic.
type treacherous struct{}

func (treacherous) Error() string   { return "treacherous" }
func (treacherous) Unwrap() []error { panic(secret) }

func TestAPanicAnywhereAroundAHandlerCostsOnlyItsCall(t *testing.T) {
	interceptor := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			switch rpc.FromContext(ctx).Header().Get("panic") {
			case "before":
				panic(secret)
			case "behind":
				defer panic(secret)
			case "status":
				return treacherous{}
			}
			return next(ctx, s)
		}
	}
	var making bool // an interceptor may panic when it wraps a handler
	maker := func(next rpc.Handler) rpc.Handler {
		if making {
			panic(secret)
		}
		return next
	}
	quiet := rpc.WithLogger(slog.New(slog.DiscardHandler))
	p := newPair(t, []rpc.ServerOption{quiet, rpc.WithHandlerInterceptors(interceptor, maker)}, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	for _, m := range kinds {
		for _, where := range []string{"before", "behind", "status", "making"} {
			making = where == "making"
			_, err := converse(t.Context(), p.client, m, []string{""}, rpc.WithMetadata("panic", where))
			wantError(t, err, rpc.CodeInternal)
			if strings.Contains(err.Error(), "swordfish") {
				t.Errorf("%s: the caller was told %v", where, err)
			}
		}
		making = false
		if _, err := converse(t.Context(), p.client, m, []string{""}); err != nil {
			t.Fatalf("the call behind it: %v", err)
		}
	}
}

// badCodec panics at certain messages.
type badCodec struct{ rpc.Codec }

func (badCodec) Name() string { return "bad" }

func (badCodec) MarshalAppend(dst []byte, msg any) ([]byte, error) {
	return append(dst, msg.(*wrapperspb.StringValue).Value...), nil
}

func (badCodec) Unmarshal(data []byte, _ any) error {
	if string(data) == "panic" {
		panic(secret)
	}
	return nil
}

func TestACodecThatPanicsCostsOnlyItsCall(t *testing.T) {
	quiet := rpc.WithLogger(slog.New(slog.DiscardHandler))
	p := newPair(t, []rpc.ServerOption{quiet, rpc.WithCodec(badCodec{})}, []rpc.ClientOption{rpc.WithCodec(badCodec{})},
		func(srv *rpc.Server) { registerAll(srv, echo) })
	for _, m := range kinds {
		_, err := converse(t.Context(), p.client, m, []string{"panic"}, rpc.WithCodecName("bad"))
		wantError(t, err, rpc.CodeInternal)
	}
	if _, err := converse(t.Context(), p.client, unary, []string{"fine"}, rpc.WithCodecName("bad")); err != nil {
		t.Fatal(err)
	}
}

// steadyCodec has the name of badCodec, and does not panic.
type steadyCodec struct{ badCodec }

func (steadyCodec) Unmarshal(data []byte, msg any) error {
	msg.(*wrapperspb.StringValue).Value = string(data)
	return nil
}

func TestACodecThatPanicsAtTheCallerHoldsNothing(t *testing.T) {
	few := rpc.WithTransport(transport.Parameters{MaxStreams: 16})
	p := newPair(t, []rpc.ServerOption{few, rpc.WithCodec(steadyCodec{})}, []rpc.ClientOption{few, rpc.WithCodec(badCodec{})},
		func(srv *rpc.Server) { registerAll(srv, echo) })
	call := func(text string) (caught any, err error) {
		defer func() { caught = recover() }()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](ctx, p.client, unary, wrapperspb.String(text), rpc.WithCodecName("bad"))
		return nil, err
	}
	for range 40 {
		if caught, err := call("panic"); caught != secret {
			t.Fatalf("caught %v, %v", caught, err)
		}
		if caught, err := call("fine"); caught != nil || err != nil {
			t.Fatalf("caught %v, %v", caught, err)
		}
	}
}
