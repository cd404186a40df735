package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func TestUnaryCallsAnswer(t *testing.T) {
	url, _ := serve(t)
	ping := connect(t, url)
	for _, want := range []string{"hello", "", strings.Repeat("x", 100_000)} {
		res, err := ping.Ping(t.Context(), &pingv1.PingRequest{Text: want})
		if err != nil || res.Text != want {
			t.Fatalf("%d bytes, %v; want %d", len(res.GetText()), err, len(want))
		}
	}
}

func TestServerStreamsArriveInOrderAndEnd(t *testing.T) {
	url, _ := serve(t)
	numbers, err := connect(t, url).CountUp(t.Context(), &pingv1.CountUpRequest{To: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var got uint64
	for n, err := range numbers.All() {
		if err != nil {
			t.Fatal(err)
		}
		if got++; n.Number != got {
			t.Fatalf("got %d, want %d", n.Number, got)
		}
	}
	if got != 10_000 {
		t.Fatalf("got %d numbers", got)
	}
	if _, err := numbers.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the end: %v", err)
	}
	if err := numbers.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestServerStreamsMayBeEmpty(t *testing.T) {
	url, _ := serve(t)
	numbers, err := connect(t, url).CountUp(t.Context(), &pingv1.CountUpRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := numbers.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want the end", err)
	}
}

func TestClientStreamsAreAnsweredOnce(t *testing.T) {
	url, _ := serve(t)
	up, err := connect(t, url).Sum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		if err := up.Send(&pingv1.SumRequest{Number: i}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := up.CloseAndRecv()
	if err != nil || res.Sum != 499_500 || res.Count != 1000 {
		t.Fatalf("%v, %v", res, err)
	}
	_, err = up.CloseAndRecv()
	wantError(t, err, rpc.CodeInternal)
	if up.Call().Method != pingv1parley.PingServiceSumMethod {
		t.Fatal("another method")
	}
}

func TestBidiStreamsTalkBackAndForth(t *testing.T) {
	url, _ := serve(t)
	talk, err := connect(t, url).CumSum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	var want int64
	for i := range int64(100) {
		if err := talk.Send(&pingv1.CumSumRequest{Number: i}); err != nil {
			t.Fatal(err)
		}
		res, err := talk.Recv()
		if want += i; err != nil || res.Sum != want {
			t.Fatalf("%v, %v; want %d", res, err, want)
		}
	}
	if err := talk.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := talk.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("after the end: %v", err)
	}
}

func TestBidiSendsAndReceivesAtTheSameTime(t *testing.T) {
	url, _ := serve(t)
	talk, err := connect(t, url).CumSum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	const n = 5000 // more than the windows hold
	var both errgroup.Group
	both.Go(func() error {
		for range n {
			if err := talk.Send(&pingv1.CumSumRequest{Number: 1}); err != nil {
				return err
			}
		}
		return talk.CloseSend()
	})
	both.Go(func() error {
		var sum int64
		for res, err := range talk.All() {
			if err != nil {
				return err
			}
			if sum++; res.Sum != sum {
				return fmt.Errorf("got %d, want %d", res.Sum, sum)
			}
		}
		if sum != n {
			return fmt.Errorf("got %d answers", sum)
		}
		return nil
	})
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestViewsAreWhatStreamsAre checks that an application's own views of a stream
// behave like those of generated code.
func TestViewsAreWhatStreamsAre(t *testing.T) {
	p := newPair(t, nil, nil, func(srv *rpc.Server) { registerAll(srv, echo) })
	type msg = wrapperspb.StringValue
	open := func(m *rpc.Method) rpc.Stream {
		s, err := p.client.Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	s := open(download)
	if err := rpc.NewSender[msg](s).Send(text("a")); err != nil {
		t.Fatal(err)
	}
	in := rpc.NewReceiver[msg](s)
	if got, err := in.Recv(); err != nil || got.Value != "a" {
		t.Fatalf("%v, %v", got, err)
	}
	up := rpc.NewUpload[msg, msg](open(upload))
	if err := up.Send(text("b")); err != nil {
		t.Fatal(err)
	}
	if got, err := up.CloseAndRecv(); err != nil || got.Value != "b" {
		t.Fatalf("%v, %v", got, err)
	}
	both := rpc.NewDuplex[msg, msg](open(bidi))
	if err := both.Send(text("c")); err != nil {
		t.Fatal(err)
	}
	if got, err := both.Recv(); err != nil || got.Value != "c" {
		t.Fatalf("%v, %v", got, err)
	}
	for _, call := range []*rpc.Call{rpc.NewSender[msg](s).Call(), in.Call(), up.Call(), both.Call()} {
		if call.Conn != p.clientConn {
			t.Error("a view has another call")
		}
	}
	for _, c := range []io.Closer{in, up, both} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestBothEndsCallAtOnceOnOneConnection(t *testing.T) {
	services := rpc.NewMux()
	registerAll(services, echo)
	connected := make(chan *rpc.Conn, 1)
	url, srv := serve(t, rpc.OnConnect(func(c *rpc.Conn) { connected <- c }))
	registerAll(srv, echo)
	conn := dial(t, url, rpc.WithServices(services))
	back := <-connected

	texts := []string{"a", "b", "c"}
	var calls errgroup.Group
	for _, caller := range []rpc.Caller{conn, back} {
		for _, m := range kinds {
			for range 20 {
				calls.Go(func() error {
					got, err := converse(t.Context(), caller, m, texts)
					if err != nil {
						return err
					}
					if want := echoed(m, texts); !slices.Equal(got, want) {
						return fmt.Errorf("%s: got %q, want %q", m.Path(), got, want)
					}
					return nil
				})
			}
		}
	}
	if err := calls.Wait(); err != nil {
		t.Fatal(err)
	}
	if srv.Connections() != 1 {
		t.Errorf("%d connections", srv.Connections())
	}
}

// echoed returns the response of echo to texts.
func echoed(m *rpc.Method, texts []string) []string {
	if !m.ClientStreams {
		texts = texts[:1]
	}
	if !m.ServerStreams {
		texts = texts[len(texts)-1:]
	}
	return texts
}

func TestHandlersCallBackWithinACall(t *testing.T) {
	services := rpc.NewMux()
	register(services, unary, echo)
	url, srv := serve(t)
	register(srv, bidi, func(ctx context.Context, s rpc.Stream) error {
		got, err := converse(ctx, rpc.FromContext(ctx).Conn, unary, []string{"from the server"})
		if err != nil {
			return err
		}
		return s.Send(text(got[0]))
	})
	conn := dial(t, url, rpc.WithServices(services))
	got, err := converse(t.Context(), conn, bidi, nil)
	if err != nil || !slices.Equal(got, []string{"from the server"}) {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestTheFirstCallMayBeAnsweredByACallBack has a handler that calls the client
// during the first call, which comes with the handshake.
func TestTheFirstCallMayBeAnsweredByACallBack(t *testing.T) {
	for range 200 {
		services := rpc.NewMux()
		register(services, download, echo)
		p := newPair(t, nil, []rpc.ClientOption{rpc.WithServices(services)}, func(srv *rpc.Server) {
			register(srv, unary, func(ctx context.Context, s rpc.Stream) error {
				got, err := converse(ctx, rpc.FromContext(ctx).Conn, download, []string{"early"})
				if err != nil {
					return err
				}
				return s.Send(text(got[0]))
			})
		})
		if _, err := converse(t.Context(), p.client, unary, []string{""}); err != nil {
			t.Fatal(err)
		}
		if err := p.client.Close(); err != nil {
			t.Fatal(err)
		}
		if err := p.srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnreadStreamDoesNotStallOtherCalls(t *testing.T) {
	url, srv := serve(t)
	flooded := make(chan struct{})
	var once sync.Once
	register(srv, download, func(_ context.Context, s rpc.Stream) error {
		big := text(strings.Repeat("x", 16<<10))
		for i := 0; ; i++ {
			if i == 3 {
				once.Do(func() { close(flooded) })
			}
			if err := s.Send(big); err != nil {
				return err
			}
		}
	})
	client := rpc.NewClient(url)
	defer client.Close()
	s, err := client.Open(t.Context(), download)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(text("")); err != nil {
		t.Fatal(err)
	}
	<-flooded
	ping := pingv1parley.NewPingServiceClient(client)
	for range 100 {
		if _, err := ping.Ping(t.Context(), &pingv1.PingRequest{Text: strings.Repeat("y", 10_000)}); err != nil {
			t.Fatal(err)
		}
	}
}
