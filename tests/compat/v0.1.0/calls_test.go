// Package compat holds code that v0.1.0 generated, and calls as its users write
// them: both must compile and work with each later release. It was written by
// the release program, and stays as it is.
package compat

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/rpc"
	compat "github.com/parley-rpc/parley/tests/compat/v0.1.0/gen"
	"github.com/parley-rpc/parley/tests/compat/v0.1.0/gen/compatparley"
)

// service leaves the method Old to the struct that it embeds.
type service struct {
	compatparley.UnimplementedCompatServiceServer
}

func text(s string) *compat.CompatMessage { return &compat.CompatMessage{Text: s} }

func (service) Echo(_ context.Context, req *compat.CompatMessage) (*compat.CompatMessage, error) {
	if req.Text == "" {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "no text")
	}
	return req, nil
}

func (service) Join(_ context.Context, in rpc.Receiver[compat.CompatMessage]) (*compat.CompatMessage, error) {
	var all []string
	for req, err := range in.All() {
		if err != nil {
			return nil, err
		}
		all = append(all, req.Text)
	}
	return text(strings.Join(all, " ")), nil
}

func (service) Split(_ context.Context, req *compat.CompatMessage, out rpc.Sender[compat.CompatMessage]) error {
	for word := range strings.FieldsSeq(req.Text) {
		if err := out.Send(text(word)); err != nil {
			return err
		}
	}
	return nil
}

func (service) Chat(_ context.Context, in rpc.Receiver[compat.CompatMessage], out rpc.Sender[compat.CompatMessage]) error {
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(req); err != nil {
			return err
		}
	}
	return nil
}

// connect returns a client of a server of the service.
func connect(t *testing.T) compatparley.CompatServiceClient {
	t.Helper()
	server := rpc.NewServer()
	compatparley.RegisterCompatServiceServer(server, service{})
	listener := httptest.NewServer(server)
	client := rpc.NewClient("ws" + strings.TrimPrefix(listener.URL, "http"))
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), server.Close()); err != nil {
			t.Error(err)
		}
		listener.Close()
	})
	return compatparley.NewCompatServiceClient(client)
}

func TestUnaryCall(t *testing.T) {
	client := connect(t)
	res, err := client.Echo(t.Context(), text("hello"))
	if err != nil || res.Text != "hello" {
		t.Errorf("got %v, %v", res, err)
	}
	if _, err := client.Echo(t.Context(), text("")); !errors.Is(err, rpc.CodeInvalidArgument) {
		t.Errorf("got %v, want an error with %v", err, rpc.CodeInvalidArgument)
	}
	if _, err := client.Old(t.Context(), text("hello")); !errors.Is(err, rpc.CodeUnimplemented) { //nolint:staticcheck // deprecated methods are called too
		t.Errorf("got %v, want an error with %v", err, rpc.CodeUnimplemented)
	}
}

func TestClientStream(t *testing.T) {
	call, err := connect(t).Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer call.Close()
	for _, word := range []string{"all", "of", "it"} {
		if err := call.Send(text(word)); err != nil {
			t.Fatal(err)
		}
	}
	if res, err := call.CloseAndRecv(); err != nil || res.Text != "all of it" {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestServerStream(t *testing.T) {
	in, err := connect(t).Split(t.Context(), text("all of it"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var words []string
	for res, err := range in.All() {
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, res.Text)
	}
	if strings.Join(words, " ") != "all of it" || len(words) != 3 {
		t.Errorf("got %q", words)
	}
}

func TestBidirectionalStream(t *testing.T) {
	call, err := connect(t).Chat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer call.Close()
	for _, word := range []string{"one", "two"} {
		if err := call.Send(text(word)); err != nil {
			t.Fatal(err)
		}
		if res, err := call.Recv(); err != nil || res.Text != word {
			t.Fatalf("got %v, %v", res, err)
		}
	}
	if err := call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := call.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}
