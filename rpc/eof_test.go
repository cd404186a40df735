package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// io.EOF tells an application that it has received all messages. In these tests
// failures wrap io.EOF, and must not be mistaken for that.

// collected is what a handler has received, and how it ended.
type collected struct {
	n   int
	err error
}

// collecting is a handler that reports what it receives.
func collecting(out chan<- collected) rpc.Handler {
	return rpc.ClientStreamHandler(func(_ context.Context, in rpc.Receiver[wrapperspb.StringValue]) (*wrapperspb.StringValue, error) {
		var c collected
		for _, err := range in.All() {
			if err != nil {
				c.err = err
				break
			}
			c.n++
		}
		out <- c
		return text("all"), c.err
	})
}

func TestALostLinkIsNoCleanEndAtEitherEnd(t *testing.T) {
	out := make(chan collected, 1)
	p := newPair(t, []rpc.ServerOption{rpc.WithoutResumption()}, nil, func(srv *rpc.Server) {
		register(srv, upload, collecting(out))
		register(srv, download, func(ctx context.Context, s rpc.Stream) error {
			if err := s.Send(text("one")); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		})
	})
	up, err := p.client.Open(t.Context(), upload)
	if err != nil {
		t.Fatal(err)
	}
	defer up.Close()
	if err := up.Send(text("one")); err != nil {
		t.Fatal(err)
	}
	down, err := rpc.CallServerStream[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), p.client, download, text(""))
	if err != nil {
		t.Fatal(err)
	}
	var lastErr error
	n := 0
	for _, err := range down.All() {
		if lastErr = err; err == nil {
			n++
			lost := fmt.Errorf("read: %w", io.EOF)
			p.dialer.Fail(lost)
			p.acceptor.Fail(lost)
		}
	}
	wantError(t, lastErr, rpc.CodeUnavailable)
	if got := <-out; n != 1 || got.n != 1 || rpc.CodeOf(got.err) == rpc.CodeOK || errors.Is(got.err, io.EOF) {
		t.Fatalf("received %d; the handler %d, %v", n, got.n, got.err)
	}
}

func TestAMessageThatDoesNotInflateIsNoCleanEndAtEitherEnd(t *testing.T) {
	// gzip returns io.EOF for a message without a byte.
	out := make(chan collected, 1)
	srv := rpc.NewServer()
	register(srv, upload, collecting(out))
	p := serveRaw(t, srv)
	p.write(openFrame(1, block(methodField(upload), bytesField(5, "gzip"))),
		dataFrame(1, 0, encoded(t, "one")), dataFrame(1, frame.FlagMark, nil), endFrame(1, nil))
	if got := <-out; got.n != 1 {
		t.Errorf("the handler got %d messages, %v", got.n, got.err)
	} else {
		wantError(t, got.err, rpc.CodeInternal)
	}
	p.want(frame.TypeHeader, 1)
	p.wantStatus(1, rpc.CodeInternal)

	client := rpc.NewClient("ws://in.memory")
	back := callRaw(t, client)
	call := start(func() ([]string, error) {
		return converse(t.Context(), client, download, []string{""}, rpc.WithCompression("gzip"))
	})
	id := back.takeCall()
	back.write(headerFrame(id, bytesField(5, "gzip")), dataFrame(id, frame.FlagMark, nil), endFrame(id, nil))
	got := <-call
	wantError(t, got.err, rpc.CodeInternal)
	if errors.Is(got.err, io.EOF) {
		t.Error("it looks like the end")
	}
}

func TestAnInterceptorsFailureIsNoCleanEnd(t *testing.T) {
	failed := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			if err := next(ctx, s); err != nil {
				return err
			}
			return fmt.Errorf("audit: %w", io.EOF)
		}
	}
	p := newPair(t, nil, []rpc.ClientOption{rpc.WithCallInterceptors(failed)}, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		_, err := converse(t.Context(), p.client, m, []string{""})
		wantError(t, err, rpc.CodeUnknown)
	})
}
