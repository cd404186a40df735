package rpc_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

// relay forwards each call to another caller, message by message, as bytes.
func relay(to rpc.Caller) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		out, err := to.Open(ctx, s.Call().Method, rpc.WithRawCodec(s.Call().CodecName()))
		if err != nil {
			return err
		}
		defer out.Close()
		if err := passOn(out, s); err != nil {
			return err
		}
		if err := out.CloseSend(); err != nil {
			return err
		}
		return passOn(s, out)
	}
}

// passOn forwards all messages.
func passOn(to, from rpc.Stream) error {
	var msg rpc.Raw
	for {
		err := from.Recv(&msg)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = to.Send(&msg)
		}
		if err != nil {
			return err
		}
	}
}

func TestCallsOfAllKindsArePassedOnUnknown(t *testing.T) {
	behind := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	front := newPair(t, nil, nil, func(srv *rpc.Server) { srv.HandleUnknown(relay(behind.client)) })
	texts := []string{"a", strings.Repeat("long", 10_000), "", "b"}
	for name, opts := range map[string][]rpc.CallOption{
		"proto": nil,
		"json":  {rpc.WithCodecName(rpc.CodecJSON)},
		"gzip":  {rpc.WithCompression(rpc.CompressionGzip)},
	} {
		t.Run(name, func(t *testing.T) {
			forKinds(t, func(t *testing.T, m *rpc.Method) {
				for range 2 {
					got, err := converse(t.Context(), front.client, m, texts, opts...)
					if err != nil || !slices.Equal(got, echoed(m, texts)) {
						t.Fatalf("%d messages, %v", len(got), err)
					}
				}
			})
		})
	}
}

func TestAnUnknownMethodIsNamedInItsCall(t *testing.T) {
	got := make(chan *rpc.Call, 1)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
			if s.Call().IsUnknown() {
				t.Error("a method that is registered counts as unknown")
			}
			return echo(ctx, s)
		})
		srv.HandleUnknown(func(ctx context.Context, _ rpc.Stream) error {
			got <- rpc.FromContext(ctx)
			return rpc.CodeNotFound
		})
	})
	for _, m := range []*rpc.Method{unary, {Service: bidi.Service, Name: "Other"}} {
		_, err := converse(t.Context(), p.client, m, []string{""}, rpc.WithMetadata("key", "value"))
		wantError(t, err, rpc.CodeNotFound)
		call := <-got
		if call.Method.Path() != m.Path() || call.Header().Get("key") != "value" || call.CodecName() != rpc.CodecProto || !call.IsUnknown() {
			t.Errorf("%s was called as %s with %v", m.Path(), call.Method.Path(), call.Header())
		}
	}
	for range 2 { // by its name, and by its alias
		if texts, err := converse(t.Context(), p.client, bidi, []string{"a"}); err != nil || len(texts) != 1 {
			t.Fatalf("a method that is registered: %q, %v", texts, err)
		}
	}
}

func TestUnknownMethodsHaveNoAlias(t *testing.T) {
	srv := rpc.NewServer()
	srv.HandleUnknown(echo)
	p := serveRaw(t, srv)
	for id := uint64(1); id < 9; id += 2 {
		p.write(openFrame(id, methodField(unary)), dataFrame(id, frame.FlagEnd, encoded(t, "a")))
		p.want(frame.TypeData, id)
		if end := p.wantEnd(id); end.Alias != 0 || end.Code != rpc.CodeOK {
			t.Fatalf("%v, alias %d", end.Status, end.Alias)
		}
	}
}

func TestAPathWithoutServiceOrMethodIsNotServed(t *testing.T) {
	srv := rpc.NewServer()
	srv.HandleUnknown(echo)
	p := serveRaw(t, srv)
	for i, path := range []string{"/", "a", "a/", "/b"} {
		id := uint64(2*i + 1)
		p.write(openFrame(id, block(bytesField(1, path))), dataFrame(id, frame.FlagEnd, nil))
		p.wantStatus(id, rpc.CodeUnimplemented)
	}
}

func TestUnknownMethodsAreUnimplementedOnceTheHandlerIsRemoved(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { srv.HandleUnknown(echo) })
	p.srv.HandleUnknown(nil)
	_, err := converse(t.Context(), p.client, unary, []string{""})
	wantError(t, err, rpc.CodeUnimplemented)
}

func TestServicesMayBeRegisteredAfterTheUnknown(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		srv.HandleUnknown(failing(rpc.CodeAborted))
		register(srv, unary, echo)
	})
	if _, err := converse(t.Context(), p.client, unary, []string{""}); err != nil {
		t.Fatal(err)
	}
	_, err := converse(t.Context(), p.client, bidi, []string{""})
	wantError(t, err, rpc.CodeAborted)
}

func TestAnUnknownMethodMayHaveAnUnknownCodec(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		register(srv, unary, echo)
		srv.HandleUnknown(func(_ context.Context, s rpc.Stream) error {
			var raw rpc.Raw
			if err := s.Recv(&raw); err != nil {
				return err
			}
			raw = append(raw, " as "+s.Call().CodecName()...)
			return s.Send(&raw)
		})
	})
	s, err := p.client.Open(t.Context(), bidi, rpc.WithRawCodec("morse"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sent := rpc.Raw("...---...")
	if err := s.Send(&sent); err != nil {
		t.Fatal(err)
	}
	got := make(rpc.Raw, 100)
	if err := s.Recv(&got); err != nil || string(got) != "...---... as morse" || s.Call().CodecName() != "morse" {
		t.Fatalf("%q, %v", got, err)
	}
	// A registered method has its own message types.
	s, err = p.client.Open(t.Context(), unary, rpc.WithRawCodec("morse"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(&sent); err != nil { // the refusal may be there already
		wantError(t, err, rpc.CodeUnimplemented)
	}
	wantError(t, s.Recv(&got), rpc.CodeUnimplemented)
}

func TestARegisteredMethodMayTakeAnyCodec(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		srv.Register(&rpc.Service{Name: unary.Service, Methods: []rpc.ServiceMethod{{
			Method: unary,
			Raw:    true,
			Handler: func(_ context.Context, s rpc.Stream) error {
				var raw rpc.Raw
				if err := s.Recv(&raw); err != nil {
					return err
				}
				raw = append(raw, " as "+s.Call().CodecName()...)
				return s.Send(&raw)
			},
		}}})
	})
	for range 2 { // by its name, then by its alias
		s, err := p.client.Open(t.Context(), unary, rpc.WithRawCodec("morse"))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		got := rpc.Raw("...")
		if err := s.Send(&got); err != nil {
			t.Fatal(err)
		}
		if err := s.Recv(&got); err != nil || string(got) != "... as morse" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestAMessageOfAnUnknownCodecHasToBeRaw(t *testing.T) {
	failed := make(chan error, 1)
	p := newPair(t, nil, nil, func(srv *rpc.Server) {
		srv.HandleUnknown(func(_ context.Context, s rpc.Stream) error {
			failed <- s.Recv(new(wrapperspb.StringValue))
			return nil
		})
	})
	s, err := p.client.Open(t.Context(), bidi, rpc.WithRawCodec("morse"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sent := rpc.Raw("...")
	if err := s.Send(&sent); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{<-failed, s.Send(text("a"))} {
		wantError(t, err, rpc.CodeInternal)
		if !strings.Contains(err.Error(), `codec "morse" is not registered`) {
			t.Errorf("%v does not say why", err)
		}
	}
	_, err = p.client.Open(t.Context(), bidi, rpc.WithRawCodec("MORSE"))
	wantError(t, err, rpc.CodeInvalidArgument)
}

func TestRawMessagesAreThoseOfTheCodec(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	want, err := proto.Marshal(text("hello"))
	if err != nil {
		t.Fatal(err)
	}
	forKinds(t, func(t *testing.T, m *rpc.Method) {
		s, err := p.client.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		raw := rpc.Raw(want)
		if err := s.Send(&raw); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		var got rpc.Raw
		if err := s.Recv(&got); err != nil || string(got) != string(want) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func TestRawMessagesHaveTheLimitOfOthers(t *testing.T) {
	small := rpc.WithTransport(transport.Parameters{MaxMessage: 64 << 10})
	p := newPair(t, []rpc.ServerOption{small}, nil, func(srv *rpc.Server) {
		srv.HandleUnknown(func(_ context.Context, s rpc.Stream) error { return s.Recv(new(rpc.Raw)) })
	})
	s, err := p.client.Open(t.Context(), bidi, rpc.WithCompression(rpc.CompressionGzip))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bomb := make(rpc.Raw, 64<<10+1)
	if err := s.Send(&bomb); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Recv(new(rpc.Raw)), rpc.CodeResourceExhausted)
}
