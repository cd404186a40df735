package rpc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
)

// newProxy returns a client of a server that passes all calls on to another,
// which serves all kinds with a handler.
func newProxy(t *testing.T, h rpc.Handler, client []rpc.ClientOption, opts ...rpc.CallOption) *rpc.Client {
	t.Helper()
	behind := newPair(t, nil, client, func(srv *rpc.Server) { registerAll(srv, h) })
	return newPair(t, nil, nil, func(srv *rpc.Server) {
		srv.HandleUnknown(func(ctx context.Context, s rpc.Stream) error {
			return rpc.Forward(ctx, s, behind.client, opts...)
		})
	}).client
}

// talk makes a call of any kind as the stubs do: the only request of a call is
// sent with it.
func talk(ctx context.Context, c rpc.Caller, m *rpc.Method, texts []string, opts ...rpc.CallOption) ([]string, error) {
	switch {
	case m.ClientStreams:
		return converse(ctx, c, m, texts, opts...)
	case m.ServerStreams:
		in, err := rpc.CallServerStream[wrapperspb.StringValue, wrapperspb.StringValue](ctx, c, m, text(texts[0]), opts...)
		if err != nil {
			return nil, err
		}
		var got []string
		for msg, err := range in.All() {
			if err != nil {
				return got, err
			}
			got = append(got, msg.Value)
		}
		return got, nil
	}
	res, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](ctx, c, m, text(texts[0]), opts...)
	return []string{res.GetValue()}, err
}

// forwarded is how a call may be forwarded.
var forwarded = map[string][]rpc.ClientOption{
	"alone":        nil,
	"interceptors": {rpc.WithCallInterceptors(func(next rpc.Handler) rpc.Handler { return next })},
}

func TestForwardPassesOnMessagesOfAllKinds(t *testing.T) {
	texts := []string{"a", strings.Repeat("long", 10_000), "", "b"}
	for how, client := range forwarded {
		c := newProxy(t, echo, client)
		for name, opts := range map[string][]rpc.CallOption{
			"proto": nil,
			"json":  {rpc.WithCodecName(rpc.CodecJSON)},
			"gzip":  {rpc.WithCompression(rpc.CompressionGzip)},
		} {
			t.Run(how+"/"+name, func(t *testing.T) {
				forKinds(t, func(t *testing.T, m *rpc.Method) {
					for _, texts := range [][]string{texts, texts[1:], texts[2:]} {
						for _, call := range []func(context.Context, rpc.Caller, *rpc.Method, []string, ...rpc.CallOption) ([]string, error){talk, converse} {
							if got, err := call(t.Context(), c, m, texts, opts...); err != nil || !slices.Equal(got, echoed(m, texts)) {
								t.Fatalf("%d messages, %v", len(got), err)
							}
						}
					}
				})
			})
		}
	}
}

func TestForwardPassesOnSeveralResponsesToOneRequest(t *testing.T) {
	three := func(_ context.Context, s rpc.Stream) error {
		for _, word := range []string{"one", "two", "three"} {
			if err := s.Send(text(word)); err != nil {
				return err
			}
		}
		return rpc.Errorf(rpc.CodeAborted, "no more")
	}
	for how, client := range forwarded {
		got, err := talk(t.Context(), newProxy(t, three, client), download, []string{"go"})
		wantError(t, err, rpc.CodeAborted)
		if !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("%s: %q", how, got)
		}
	}
}

func TestForwardPassesOnMetadataAndStatus(t *testing.T) {
	answer := func(ctx context.Context, s rpc.Stream) error {
		call := rpc.FromContext(ctx)
		header := call.Header()
		if err := errors.Join(call.SetHeader("seen", header["key"]...), call.SetHeader("seen", header["added"]...),
			call.SetHeader("seen", header["secret"]...), call.SetTrailer("end-bin", "\x00\xff")); err != nil {
			return err
		}
		msg := new(wrapperspb.StringValue)
		if err := s.Recv(msg); err != nil {
			return err
		}
		if msg.Value == "fail" {
			return rpc.Errorf(rpc.CodeDataLoss, "as asked").WithDetail(text("detail"))
		}
		return s.Send(msg)
	}
	for how, client := range forwarded {
		c := newProxy(t, answer, client, rpc.WithoutMetadata("Secret", "absent"), rpc.WithMetadata("added", "by the proxy"))
		t.Run(how, func(t *testing.T) {
			forKinds(t, func(t *testing.T, m *rpc.Method) {
				for _, word := range []string{"succeed", "fail"} {
					var header, trailer rpc.Metadata
					_, err := talk(t.Context(), c, m, []string{word}, rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer),
						rpc.WithMetadata("key", "1", "2"), rpc.WithMetadata("secret", "3"))
					if got := header["seen"]; !slices.Equal(got, []string{"1", "2", "by the proxy"}) {
						t.Errorf("%s: the header was %q", word, got)
					}
					if got := trailer.Get("end-bin"); got != "\x00\xff" {
						t.Errorf("%s: the trailer was %q", word, got)
					}
					if word == "succeed" {
						wantCode(t, err, rpc.CodeOK)
						continue
					}
					wantError(t, err, rpc.CodeDataLoss)
					if details := rpc.StatusOf(err).Details(); len(details) != 1 {
						t.Errorf("the details were %v", details)
					}
				}
			})
		})
	}
}

func TestForwardPassesOnTheEndOfACall(t *testing.T) {
	for how, client := range forwarded {
		forKinds(t, func(t *testing.T, m *rpc.Method) {
			synctest.Test(t, func(t *testing.T) {
				started, ended := make(chan struct{}, 1), make(chan error, 1)
				c := newProxy(t, waiting(started, ended), client)
				ctx, cancel := context.WithCancel(t.Context())
				call := start(func() ([]string, error) { return talk(ctx, c, m, []string{"a"}) })
				<-started
				cancel()
				wantError(t, (<-call).err, rpc.CodeCanceled)
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("%s: the callee's context: %v", how, err)
				}
				began := time.Now()
				_, err := talk(t.Context(), c, m, []string{"a"}, rpc.WithTimeout(time.Minute))
				wantError(t, err, rpc.CodeDeadlineExceeded)
				<-started
				// Both ends count it down: at that instant either may be first.
				if err := <-ended; err == nil || time.Since(began) != time.Minute {
					t.Errorf("%s: the callee's context after %v: %v", how, time.Since(began), err)
				}
			})
		})
	}
}

func TestForwardFailsWithTheStatusOfItsCaller(t *testing.T) {
	for name, caller := range map[string]rpc.Caller{
		"closed": closedClient(t),
		"router": rpc.Router(func(context.Context, *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
			return nil, nil, rpc.CodeCanceled
		}),
	} {
		c := newPair(t, nil, nil, func(srv *rpc.Server) {
			srv.HandleUnknown(func(ctx context.Context, s rpc.Stream) error { return rpc.Forward(ctx, s, caller) })
		}).client
		t.Run(name, func(t *testing.T) {
			forKinds(t, func(t *testing.T, m *rpc.Method) {
				_, err := talk(t.Context(), c, m, []string{"a"})
				wantError(t, err, rpc.CodeCanceled)
			})
		})
	}
}

func closedClient(t *testing.T) *rpc.Client {
	t.Helper()
	c := rpc.NewClient("ws://server")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}
