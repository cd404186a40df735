package parleyconnect_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func TestAllKindsOfCallsOverAllProtocols(t *testing.T) {
	url, _ := serve(t, echo)
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		texts, want := []string{"a"}, []string{"a"}
		switch {
		case m.ClientStreams && m.ServerStreams:
			texts, want = []string{"a", "", "c"}, []string{"a", "", "c"}
		case m.ClientStreams:
			texts, want = []string{"a", "b", "c"}, []string{"a b c"}
		}
		got, err := converse(t.Context(), c, m, texts...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestAWebSocketReachesTheSameServices(t *testing.T) {
	url, _ := serve(t, echo)
	client := rpc.NewClient("ws" + strings.TrimPrefix(url, "http"))
	defer client.Close()
	res, err := rpc.CallUnary[wrapperspb.StringValue, wrapperspb.StringValue](t.Context(), client, unary, text("a"))
	if err != nil || res.Value != "a" {
		t.Errorf("got %v, %v", res, err)
	}
}

func TestBidirectionalStreamsTalkBackAndForth(t *testing.T) {
	url, _ := serve(t, echo)
	for _, p := range protocols {
		if !p.can(bidi) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s, err := p.client(t, url).CallClientStream(t.Context(), specOf(bidi))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i := range 10 {
				if err := s.Send(text(fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
				msg := new(wrapperspb.StringValue)
				if err := s.Receive(msg); err != nil || msg.Value != fmt.Sprint(i) {
					t.Fatalf("got %q, %v", msg.Value, err)
				}
			}
		})
	}
}

func TestMetadataPassesInBothDirections(t *testing.T) {
	url, _ := serve(t, func(ctx context.Context, s rpc.Stream) error {
		call := rpc.FromContext(ctx)
		md := call.Header()
		for key := range md {
			if key != "key" && key != "raw-bin" {
				t.Errorf("the handler has %q: %q", key, md[key])
			}
		}
		if call.Peer.Header.Get("User-Agent") == "" || call.Peer.Header.Get("Cookie") != "own=1" || call.Peer.Addr == nil {
			t.Errorf("peer %+v", call.Peer)
		}
		for _, err := range []error{
			call.SetHeader("h", md["key"]...), call.SetHeader("h-bin", md["raw-bin"]...),
			call.SetTrailer("t", md["key"]...), call.SetTrailer("t-bin", md["raw-bin"]...),
			call.SetHeader("connection", "close"), call.SetHeader("access-control-allow-origin", "*"), call.SendHeader(),
		} {
			if err != nil {
				return err
			}
		}
		if err := echo(ctx, s); err != nil {
			return err
		}
		if len(md["fail"]) > 0 {
			return rpc.CodeAborted
		}
		return nil
	})
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		ctx, info := connect.NewClientContext(t.Context())
		info.RequestHeader().SetValues("Key", []string{"a", "b"})
		info.RequestHeader().SetValues("Raw-Bin", []string{connect.EncodeBinaryHeader([]byte{0, 0xff})})
		info.RequestHeader().Set("Cookie", "own=1")
		if _, err := converse(ctx, c, m, "x"); err != nil {
			t.Fatal(err)
		}
		for name, h := range map[string]*connect.Header{"H": info.ResponseHeader(), "T": info.ResponseTrailer()} {
			raw, err := connect.DecodeBinaryHeader(h.Get(name + "-Bin"))
			if !slices.Equal(h.Values(name), []string{"a", "b"}) || err != nil || string(raw) != "\x00\xff" {
				t.Errorf("%s: %q, %q", name, h.Values(name), raw)
			}
		}
		if h := info.ResponseHeader(); h.Has("Access-Control-Allow-Origin") {
			t.Error("a handler has decided which pages may read the response")
		}
	})
}

func TestStatusesKeepTheirDetails(t *testing.T) {
	url, _ := serve(t, func(ctx context.Context, s rpc.Stream) error {
		var code rpc.Code
		if _, err := fmt.Sscan(rpc.FromContext(ctx).HeaderValue("code"), (*uint32)(&code)); err != nil {
			return err
		}
		return rpc.Errorf(code, "grüße").WithDetail(text("a detail"))
	})
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		for code := rpc.CodeCanceled; code <= rpc.CodeUnauthenticated; code++ {
			ctx, info := connect.NewClientContext(t.Context())
			info.RequestHeader().Set("Code", fmt.Sprint(uint32(code)))
			_, err := converse(ctx, c, m, "x")
			e := errorWith(t, err, code)
			if e.Message() != "grüße" || len(e.Details()) != 1 {
				t.Fatalf("%v with %d details", e, len(e.Details()))
			}
			detail, err := connectproto.UnmarshalErrorDetail(e.Details()[0])
			if got, ok := detail.(*wrapperspb.StringValue); err != nil || !ok || got.Value != "a detail" {
				t.Fatalf("detail %v, %v", detail, err)
			}
		}
	})
}

func TestDeadlinesReachTheHandler(t *testing.T) {
	ends := make(chan error, 1)
	url, _ := serve(t, func(ctx context.Context, _ rpc.Stream) error {
		<-ctx.Done()
		ends <- ctx.Err()
		return ctx.Err()
	})
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := converse(ctx, c, m, "x")
		wantCode(t, err, rpc.CodeDeadlineExceeded)
		// The client may leave a moment before the timer of the server.
		if err := <-ends; !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Errorf("the handler ended with %v", err)
		}
	})
}

func TestACallEndsWhenItsClientLeaves(t *testing.T) {
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	url, _ := serve(t, func(ctx context.Context, s rpc.Stream) error {
		for { // over HTTP/1.1 net/http watches a client that has sent all
			if err := s.Recv(new(wrapperspb.StringValue)); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Error(err)
				break
			}
		}
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	})
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-started
			cancel()
		}()
		_, err := converse(ctx, c, m, "x")
		wantCode(t, err, rpc.CodeCanceled)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler ended with %v", err)
		}
	})
}

func TestMessagesOverTheLimitFail(t *testing.T) {
	const limit = 64 << 10
	url, _ := serve(t, echo, rpc.WithTransport(transport.Parameters{MaxMessage: limit}))
	for _, p := range protocols {
		if strings.Contains(p.name, "get") {
			continue // they would be POST
		}
		for _, compression := range []string{connect.CompressionNameIdentity, connect.CompressionNameGzip} {
			t.Run(p.name+"/"+compression, func(t *testing.T) {
				c := p.client(t, url, connecthttp.WithSendCompression(compression))
				_, err := converse(t.Context(), c, unary, strings.Repeat("x", limit))
				wantCode(t, err, rpc.CodeResourceExhausted)
				if _, err := converse(t.Context(), c, unary, strings.Repeat("x", limit-100)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestInterceptorsSeeCalls(t *testing.T) {
	seen := make(chan string, 1)
	url, _ := serve(t, echo, rpc.WithHandlerInterceptors(func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			err := next(ctx, s)
			seen <- fmt.Sprint(s.Call().Method.Path(), " ", s.Call().Peer.Protocol, " ", rpc.CodeOf(err))
			return err
		}
	}))
	everywhere(t, url, func(t *testing.T, c *connect.Client, m *rpc.Method) {
		ctx, info := connect.NewClientContext(t.Context())
		if _, err := converse(ctx, c, m, "x"); err != nil {
			t.Fatal(err)
		}
		if got, want := <-seen, m.Path()+" "+info.Protocol+" OK"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestCallsInFlightFinishWhenTheServerShutsDown(t *testing.T) {
	started := make(chan struct{}, 1)
	url, srv := serve(t, func(ctx context.Context, s rpc.Stream) error {
		started <- struct{}{}
		<-rpc.Draining(ctx)
		return echo(ctx, s)
	})
	p := protocols[0]
	c := p.client(t, url)
	ended := make(chan error, 1)
	go func() {
		_, err := converse(t.Context(), c, unary, "x")
		ended <- err
	}()
	<-started
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	_, err := converse(t.Context(), c, unary, "x")
	wantCode(t, err, rpc.CodeUnavailable)
}

func TestUnknownMethodsAreUnimplemented(t *testing.T) {
	url, _ := serve(t, echo)
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			_, err := converse(t.Context(), p.client(t, url), &rpc.Method{Service: unary.Service, Name: "None"}, "x")
			wantCode(t, err, rpc.CodeUnimplemented)
		})
	}
}

func TestMethodsThatAreNotRegisteredAreServed(t *testing.T) {
	url, srv := serve(t, echo)
	srv.HandleUnknown(func(ctx context.Context, s rpc.Stream) error {
		if err := errors.Join(s.Call().SetHeader("h", "1"), s.Call().SetTrailer("t", "2")); err != nil {
			return err
		}
		return echo(ctx, s)
	})
	for _, p := range protocols {
		for _, m := range kinds {
			if !p.can(m) || m.ClientStreams != m.ServerStreams {
				continue // echo does not know that such a method has one response
			}
			t.Run(p.name+"/"+m.Service, func(t *testing.T) {
				ctx, info := connect.NewClientContext(t.Context())
				other := &rpc.Method{Service: "other.Service", Name: "Call", ClientStreams: m.ClientStreams, ServerStreams: m.ServerStreams}
				got, err := converse(ctx, p.client(t, url), other, "a")
				if err != nil || !slices.Equal(got, []string{"a"}) {
					t.Fatalf("got %q, %v", got, err)
				}
				if info.ResponseHeader().Get("H") != "1" || info.ResponseTrailer().Get("T") != "2" {
					t.Errorf("header %v, trailer %v", info.ResponseHeader(), info.ResponseTrailer())
				}
			})
		}
	}
}

func TestARequestThatIsNoCallIsExplained(t *testing.T) {
	url, _ := serve(t, echo)
	for path, want := range map[string]int{"": http.StatusUpgradeRequired, "/test.Unary/Call/more": http.StatusUpgradeRequired} {
		res, err := http1Client(t).Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: %s", path, res.Status)
		}
	}
}
