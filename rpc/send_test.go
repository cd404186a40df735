package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

type upStream = rpc.Upload[wrapperspb.StringValue, wrapperspb.StringValue]

func callUpload(t *testing.T, c rpc.Caller) upStream {
	t.Helper()
	up, err := rpc.CallClientStream[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), c, upload)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { up.Close() })
	return up
}

// sendUntil sends until it fails.
func sendUntil(send func(*wrapperspb.StringValue) error) (err error) {
	for err == nil {
		err = send(text("more"))
	}
	return err
}

func TestSendAfterAFailureReturnsTheStatus(t *testing.T) {
	url, srv := serve(t)
	why := rpc.Errorf(rpc.CodeOutOfRange, "enough")
	registerAll(srv, failing(why))
	conn := dial(t, url)
	for _, m := range []*rpc.Method{upload, bidi} {
		var trailer rpc.Metadata
		s, err := conn.Open(t.Context(), m, rpc.ReadTrailer(&trailer))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the first time, and again
			err := sendUntil(func(msg *wrapperspb.StringValue) error { return s.Send(msg) })
			wantError(t, err, rpc.CodeOutOfRange)
			if !strings.Contains(err.Error(), "enough") {
				t.Errorf("got %v", err)
			}
		}
		wantError(t, s.CloseSend(), rpc.CodeOutOfRange)
		wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeOutOfRange)
		s.Close()
		wantError(t, s.Send(text("")), rpc.CodeOutOfRange)
	}
}

func TestSendAfterAnOKReturnsErrFinished(t *testing.T) {
	url, srv := serve(t)
	register(srv, upload, rpc.ClientStreamHandler(func(context.Context, rpc.Receiver[wrapperspb.StringValue]) (*wrapperspb.StringValue, error) {
		return text("early"), nil
	}))
	register(srv, bidi, func(_ context.Context, s rpc.Stream) error { return s.Send(text("early")) })
	conn := dial(t, url)

	up := callUpload(t, conn)
	for range 2 {
		if err := sendUntil(up.Send); !errors.Is(err, rpc.ErrFinished) {
			t.Fatalf("got %v", err)
		}
	}
	if res, err := up.CloseAndRecv(); err != nil || res.Value != "early" {
		t.Fatalf("%v, %v", res, err)
	}

	both, err := rpc.CallBidi[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), conn, bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if err := sendUntil(both.Send); !errors.Is(err, rpc.ErrFinished) {
		t.Fatalf("got %v", err)
	}
	if err := both.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if res, err := both.Recv(); err != nil || res.Value != "early" {
		t.Fatalf("%v, %v", res, err)
	}
	if _, err := both.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v", err)
	}
	if err := both.Send(text("")); !errors.Is(err, rpc.ErrFinished) {
		t.Fatalf("got %v", err)
	}
	if err := both.CloseSend(); err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasSentBeforeAStatusIsReceivedThoughASendHasMetIt is for
// bidirectional calls.
func TestWhatWasSentBeforeAStatusIsReceivedThoughASendHasMetIt(t *testing.T) {
	client := rpc.NewClient("ws://in.memory")
	p := callRaw(t, client)
	s, err := client.Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, _ := p.wantOpen()
	p.write(dataFrame(id, 0, encoded(t, "last words")), endFrame(id, uintField(2, 7)), resetFrame(id, 1, ""))
	wantError(t, sendUntil(func(msg *wrapperspb.StringValue) error { return s.Send(msg) }), rpc.CodePermissionDenied)
	got, err := recvAll(s)
	wantError(t, err, rpc.CodePermissionDenied)
	if len(got) != 1 || got[0] != "last words" {
		t.Fatalf("got %q", got)
	}
}

func TestNothingCanBeSentBehindCloseSend(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		s, err := p.client.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Send(text("a")); err != nil {
			t.Fatal(err)
		}
		if !m.ClientStreams {
			wantError(t, s.Send(text("b")), rpc.CodeFailedPrecondition)
		}
		for range 2 {
			if err := s.CloseSend(); err != nil {
				t.Fatal(err)
			}
			wantError(t, s.Send(text("b")), rpc.CodeFailedPrecondition)
		}
		if got, err := recvAll(s); err != nil || len(got) != 1 { // the call is not affected
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestACallWithoutItsRequestFails(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, rpc.UnaryHandler(func(context.Context, *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
			t.Error("the handler was called")
			return nil, nil
		}))
		register(srv, download, rpc.ServerStreamHandler(func(context.Context, *wrapperspb.StringValue, rpc.Sender[wrapperspb.StringValue]) error {
			t.Error("the handler was called")
			return nil
		}))
	})
	for _, m := range []*rpc.Method{unary, download} {
		s, err := p.client.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		wantError(t, s.Send(text("too late")), rpc.CodeFailedPrecondition)
		_, err = recvAll(s)
		wantError(t, err, rpc.CodeInternal)
		s.Close()
	}
}

func TestTwoAtOnceInOneDirectionAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error, 2)
		p := newPair(t, nil, nil, func(srv *rpc.Server) {
			register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
				for range 2 {
					go func() { results <- s.Recv(new(wrapperspb.StringValue)) }()
				}
				<-ctx.Done()
				return nil
			})
			register(srv, upload, waiting(make(chan struct{}, 1), make(chan error, 1)))
		})
		s, err := p.client.Open(t.Context(), bidi)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		receiving := make(chan error, 1)
		go func() { receiving <- s.Recv(new(wrapperspb.StringValue)) }()
		synctest.Wait()
		wantError(t, s.Recv(new(wrapperspb.StringValue)), rpc.CodeFailedPrecondition)
		wantError(t, <-results, rpc.CodeFailedPrecondition)

		up := callUpload(t, p.client)
		sending := make(chan error, 1)
		go func() {
			sending <- sendUntil(func(*wrapperspb.StringValue) error { return up.Send(text(strings.Repeat("x", 60_000))) })
		}()
		synctest.Wait() // credit is used up
		wantError(t, up.Send(text("b")), rpc.CodeFailedPrecondition)

		if err := s.Send(text("c")); err != nil { // the calls are not affected
			t.Fatal(err)
		}
		if err := <-results; err != nil {
			t.Errorf("a handler's first Recv: %v", err)
		}
		s.Close()
		up.Close()
		wantError(t, <-receiving, rpc.CodeCanceled)
		wantError(t, <-sending, rpc.CodeCanceled)
	})
}

func TestSendKeepsNothingOfItsMessage(t *testing.T) {
	url, srv := serve(t)
	registerAll(srv, echo)
	s, err := dial(t, url).Open(t.Context(), bidi)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	msg := text("")
	for i := range 100 {
		msg.Value = fmt.Sprint(i)
		if err := s.Send(msg); err != nil {
			t.Fatal(err)
		}
	}
	msg.Value = "scribble"
	if err := s.CloseSend(); err != nil {
		t.Fatal(err)
	}
	got, err := recvAll(s)
	if err != nil || len(got) != 100 || got[0] != "0" || got[99] != "99" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestAHandlersEndOfAStream tests what a handler may do with its end.
func TestAHandlersEndOfAStream(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		registerAll(srv, func(ctx context.Context, s rpc.Stream) error {
			if err := s.CloseSend(); err != nil { // does nothing: returning ends the stream
				return err
			}
			defer s.Close() // the same
			msg := new(wrapperspb.StringValue)
			if err := s.Recv(msg); err != nil {
				return err
			}
			for range 2 {
				if err := s.Recv(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
					return fmt.Errorf("behind the last message: %w", err)
				}
			}
			if err := s.Send(msg); err != nil {
				return err
			}
			if s.Call().Method.ServerStreams {
				return nil
			}
			if err := s.Send(msg); rpc.CodeOf(err) != rpc.CodeInternal {
				return fmt.Errorf("a second answer: %w", err)
			}
			return nil
		})
	})
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		if got, err := converse(t.Context(), p.client, m, []string{"a"}); err != nil || len(got) != 1 {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestAHandlerWithoutAnAnswerFails(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, rpc.UnaryHandler(func(context.Context, *wrapperspb.StringValue) (*wrapperspb.StringValue, error) { return nil, nil }))
		register(srv, upload, failing(nil))
	})
	for _, m := range []*rpc.Method{unary, upload} {
		_, err := converse(t.Context(), p.client, m, []string{"a"})
		wantError(t, err, rpc.CodeInternal)
		if !strings.Contains(err.Error(), "returned no response") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAnAnswerAndItsStatusLeaveTogether(t *testing.T) {
	srv := rpc.NewServer()
	register(srv, unary, echo)
	p := serveRaw(t, srv)
	p.write(openFrame(1, methodField(unary)), dataFrame(1, frame.FlagEnd, encoded(t, "a")))
	p.want(frame.TypeData, 1)
	alias := p.wantEnd(1).Alias
	p.write(openFrame(3, uintField(2, alias)), dataFrame(3, frame.FlagEnd, encoded(t, "b")))
	if f := p.want(frame.TypeData, 3); f.Flags&frame.FlagEnd == 0 {
		t.Fatal("the second answer, which has nothing else to say, does not end the call")
	}
}
