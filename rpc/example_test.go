package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// greeter serves PingService: generated code has an interface of its methods.
type greeter struct {
	pingv1parley.UnimplementedPingServiceServer // for methods that are added later
}

func (greeter) Ping(_ context.Context, req *pingv1.PingRequest) (*pingv1.PingResponse, error) {
	if req.Text == "" {
		return nil, rpc.Errorf(rpc.CodeInvalidArgument, "nothing to say").
			WithDetail(&pingv1.PingFailure{Hint: "say something"})
	}
	return &pingv1.PingResponse{Text: "hello, " + req.Text}, nil
}

func (greeter) CountUp(_ context.Context, req *pingv1.CountUpRequest, out rpc.Sender[pingv1.CountUpResponse]) error {
	for n := range req.To {
		if err := out.Send(&pingv1.CountUpResponse{Number: n + 1}); err != nil {
			return err // the caller has left
		}
	}
	return nil
}

func (greeter) CumSum(_ context.Context, in rpc.Receiver[pingv1.CumSumRequest], out rpc.Sender[pingv1.CumSumResponse]) error {
	var sum int64
	for req, err := range in.All() {
		if err != nil {
			return err
		}
		sum += req.Number
		if err := out.Send(&pingv1.CumSumResponse{Sum: sum}); err != nil {
			return err
		}
	}
	return nil
}

// serveExample serves srv and returns its URL.
func serveExample(srv *rpc.Server) (url string, stop func()) {
	routes := http.NewServeMux()
	routes.Handle("/rpc", srv)
	web := httptest.NewServer(routes)
	return "ws" + strings.TrimPrefix(web.URL, "http") + "/rpc", func() {
		_ = srv.Close()
		web.Close()
	}
}

// A server is an http.Handler. A client connects with its first call.
func Example() {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := serveExample(srv) // http.Handle("/rpc", srv)
	defer stop()

	client := rpc.NewClient(url)
	defer client.Close()
	ping := pingv1parley.NewPingServiceClient(client)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // the handler's context has it too
	defer cancel()
	res, err := ping.Ping(ctx, &pingv1.PingRequest{Text: "world"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Text)

	numbers, err := ping.CountUp(ctx, &pingv1.CountUpRequest{To: 1_000_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	for n, err := range numbers.All() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n.Number)
		if n.Number == 3 {
			break // cancels the call
		}
	}
	// Output:
	// hello, world
	// 1
	// 2
	// 3
}

// Both ends may send whenever they like.
func ExampleDuplex() {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := serveExample(srv)
	defer stop()
	client := rpc.NewClient(url)
	defer client.Close()

	sums, err := pingv1parley.NewPingServiceClient(client).CumSum(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sums.Close()
	for n := range int64(3) {
		if err := sums.Send(&pingv1.CumSumRequest{Number: n + 1}); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := sums.CloseSend(); err != nil {
		fmt.Println(err)
		return
	}
	for res, err := range sums.All() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(res.Sum)
	}
	// Output:
	// 1
	// 3
	// 6
}

// A server calls its clients: they offer services when they connect.
func ExampleOnConnect() {
	pushed := make(chan struct{})
	srv := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) {
		go func() { // later, from wherever the connection was kept
			defer close(pushed)
			res, err := pingv1parley.NewPingServiceClient(c).Ping(context.Background(), &pingv1.PingRequest{Text: "client"})
			fmt.Println(res.GetText(), err)
		}()
	}))
	url, stop := serveExample(srv)
	defer stop()

	services := rpc.NewMux()
	pingv1parley.RegisterPingServiceServer(services, greeter{})
	conn, err := rpc.Dial(context.Background(), url, rpc.WithServices(services))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	<-pushed
	// Output:
	// hello, client <nil>
}

// The code of an error is asked for with errors.Is, the rest with errors.As.
func ExampleError() {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := serveExample(srv)
	defer stop()
	client := rpc.NewClient(url)
	defer client.Close()

	_, err := pingv1parley.NewPingServiceClient(client).Ping(context.Background(), new(pingv1.PingRequest))
	fmt.Println(errors.Is(err, rpc.CodeInvalidArgument), rpc.CodeOf(err))
	var status *rpc.Error
	if errors.As(err, &status) {
		fmt.Println(status.Message())
		for _, packed := range status.Details() {
			detail, err := packed.UnmarshalNew()
			if failure, ok := detail.(*pingv1.PingFailure); err == nil && ok {
				fmt.Println("hint:", failure.Hint)
			}
		}
	}
	// Output:
	// true INVALID_ARGUMENT
	// nothing to say
	// hint: say something
}

// One shape of interceptor serves all kinds of call, at both ends: here the
// client adds a token, which the server looks at.
func ExampleInterceptor() {
	authorize := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			if rpc.FromContext(ctx).Header().Get("authorization") != "Bearer abc" {
				return rpc.Errorf(rpc.CodeUnauthenticated, "who are you?")
			}
			return next(ctx, s)
		}
	}
	addToken := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			if err := s.Call().SetHeader("Authorization", "Bearer abc"); err != nil {
				return err
			}
			err := next(ctx, s) // returns when the call has ended
			fmt.Println(s.Call().Method.Name, rpc.CodeOf(err))
			return err
		}
	}

	srv := rpc.NewServer(rpc.WithHandlerInterceptors(authorize))
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := serveExample(srv)
	defer stop()
	ping := func(opts ...rpc.ClientOption) {
		client := rpc.NewClient(url, opts...)
		defer client.Close()
		res, err := pingv1parley.NewPingServiceClient(client).Ping(context.Background(), &pingv1.PingRequest{Text: "world"})
		fmt.Println(res.GetText(), err)
	}
	ping()
	ping(rpc.WithCallInterceptors(addToken))
	// Output:
	//  UNAUTHENTICATED: who are you?
	// Ping OK
	// hello, world <nil>
}

// Headers and trailers travel beside the messages.
func ExampleReadHeader() {
	label := func(next rpc.Handler) rpc.Handler {
		return func(ctx context.Context, s rpc.Stream) error {
			call := rpc.FromContext(ctx)
			if err := call.SetHeader("served-by", "node 7"); err != nil {
				return err
			}
			err := next(ctx, s)
			return errors.Join(err, call.SetTrailer("trace-bin", "\x01\x02"), call.SetTrailer("for", call.Header().Get("user")))
		}
	}
	srv := rpc.NewServer(rpc.WithHandlerInterceptors(label))
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	url, stop := serveExample(srv)
	defer stop()
	client := rpc.NewClient(url)
	defer client.Close()

	var header, trailer rpc.Metadata
	_, err := pingv1parley.NewPingServiceClient(client).Ping(context.Background(), &pingv1.PingRequest{Text: "world"},
		rpc.WithMetadata("user", "ann"), rpc.ReadHeader(&header), rpc.ReadTrailer(&trailer))
	fmt.Println(header.Get("Served-By"), trailer.Get("for"), []byte(trailer.Get("trace-bin")), err)
	// Output:
	// node 7 ann [1 2] <nil>
}
