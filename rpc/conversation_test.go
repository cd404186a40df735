package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// One method of each kind, without generated code.
var (
	unary    = &rpc.Method{Service: "test.Unary", Name: "Call"}
	download = &rpc.Method{Service: "test.Download", Name: "Call", ServerStreams: true}
	upload   = &rpc.Method{Service: "test.Upload", Name: "Call", ClientStreams: true}
	bidi     = &rpc.Method{Service: "test.Bidi", Name: "Call", ClientStreams: true, ServerStreams: true}

	kinds = []*rpc.Method{unary, download, upload, bidi}
)

// text returns the message type of all methods.
func text(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }

// register registers h for a method.
func register(r rpc.Registrar, m *rpc.Method, h rpc.Handler) {
	r.Register(&rpc.Service{Name: m.Service, Methods: []rpc.ServiceMethod{{Method: m, Handler: h}}})
}

// registerAll registers h for the methods of all kinds.
func registerAll(r rpc.Registrar, h rpc.Handler) {
	for _, m := range kinds {
		register(r, m, h)
	}
}

// echo returns each message, or the last one if the method has one response.
func echo(_ context.Context, s rpc.Stream) error {
	last := text("")
	for {
		msg := new(wrapperspb.StringValue)
		err := s.Recv(msg)
		switch {
		case errors.Is(err, io.EOF) && s.Call().Method.ServerStreams:
			return nil
		case errors.Is(err, io.EOF):
			return s.Send(last)
		case err != nil:
			return err
		}
		last = msg
		if s.Call().Method.ServerStreams {
			if err := s.Send(msg); err != nil {
				return err
			}
		}
	}
}

// failing returns a handler that receives no message and ends with err.
func failing(err error) rpc.Handler {
	return func(context.Context, rpc.Stream) error { return err }
}

// waiting is a handler that waits for the end of its context, and reports it on
// its channel.
func waiting(started chan<- struct{}, ended chan<- error) rpc.Handler {
	return func(ctx context.Context, _ rpc.Stream) error {
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
}

// converse makes a call of any kind. It sends the texts, or the first one if
// the method takes one request, and receives all responses.
func converse(ctx context.Context, c rpc.Caller, m *rpc.Method, texts []string, opts ...rpc.CallOption) ([]string, error) {
	s, err := c.Open(ctx, m, opts...)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if !m.ClientStreams {
		texts = texts[:1]
	}
	for _, t := range texts {
		if err := s.Send(text(t)); errors.Is(err, rpc.ErrFinished) {
			break // the response has arrived already
		} else if err != nil {
			return nil, fmt.Errorf("send: %w", err)
		}
	}
	if err := s.CloseSend(); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	return recvAll(s)
}

// outcome is the result of a call.
type outcome struct {
	texts []string
	err   error
}

// start makes a call on another goroutine.
func start(call func() ([]string, error)) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		texts, err := call()
		done <- outcome{texts, err}
	}()
	return done
}

// recvAll receives all messages.
func recvAll(s rpc.Stream) (texts []string, err error) {
	for {
		msg := new(wrapperspb.StringValue)
		if err := s.Recv(msg); errors.Is(err, io.EOF) {
			return texts, nil
		} else if err != nil {
			return texts, err
		}
		texts = append(texts, msg.Value)
	}
}

// forKinds runs a test for each kind of call.
func forKinds(t *testing.T, f func(*testing.T, *rpc.Method)) {
	t.Helper()
	for _, m := range kinds {
		t.Run(m.Service, func(t *testing.T) { f(t, m) })
	}
}

// wantCode fails the test unless err has the code.
func wantCode(t *testing.T, err error, code rpc.Code) {
	t.Helper()
	if rpc.CodeOf(err) != code || code != rpc.CodeOK && !errors.Is(err, code) {
		t.Fatalf("got %v, want %v", err, code)
	}
}

// wantError is wantCode for an error that a call has returned.
func wantError(t *testing.T, err error, code rpc.Code) {
	t.Helper()
	if e := new(rpc.Error); !errors.As(err, &e) || e.Code() != code || !errors.Is(err, code) {
		t.Fatalf("got %v, want an *rpc.Error with %v", err, code)
	}
}
