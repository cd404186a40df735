package grpcparley_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/rpc"
)

// A service and a client of grpc's stubs, on a WebSocket.
func Example() {
	mux := http.NewServeMux()
	srv := serveTalk(mux)
	defer srv.Close()
	web := httptest.NewServer(mux)
	defer web.Close()
	err := sayAndListen(context.Background(), "ws"+strings.TrimPrefix(web.URL, "http")+"/rpc")
	fmt.Println(err)
	// Output:
	// hello
	// one
	// two
	// three
	// <nil>
}

// serveTalk mounts the service.
func serveTalk(mux *http.ServeMux) *rpc.Server {
	//snippet:server
	srv := rpc.NewServer()
	registrar := grpcparley.NewRegistrar(srv)
	talkv1.RegisterTalkServiceServer(registrar, talker{})
	reflection.Register(registrar) // for tools, if you like
	mux.Handle("/rpc", srv)
	//snippet:end
	return srv
}

func sayAndListen(ctx context.Context, url string) error {
	//snippet:client
	client := rpc.NewClient(url) // "wss://example.com/rpc"
	defer client.Close()
	talk := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(client))

	said, err := talk.Say(ctx, &talkv1.SayRequest{Text: "hello"})
	if err != nil {
		return err
	}
	fmt.Println(said.GetText())
	//snippet:end

	words, err := talk.Listen(ctx, &talkv1.ListenRequest{Text: "one two three"})
	for err == nil {
		var word *talkv1.ListenResponse
		if word, err = words.Recv(); err == nil {
			fmt.Println(word.GetText())
		}
	}
	if err == io.EOF { //nolint:errorlint // as grpc's contract has it
		return nil
	}
	return err
}

// The same services on a server of grpc-go and on a WebSocket.
func ExampleNewRegistrar() {
	srv, grpcServer := rpc.NewServer(), grpc.NewServer()
	//snippet:both
	for _, to := range []grpc.ServiceRegistrar{grpcServer, grpcparley.NewRegistrar(srv)} {
		talkv1.RegisterTalkServiceServer(to, talker{})
	}
	//snippet:end
	for _, m := range grpcServer.GetServiceInfo()["talk.v1.TalkService"].Methods {
		fmt.Println(m.Name)
	}
	// Unordered output:
	// Say
	// Listen
	// Tell
	// Chat
}

// Interceptors, and options that all calls have.
func ExampleNewClientConn() {
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), talker{})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	client := rpc.NewClient("ws" + strings.TrimPrefix(web.URL, "http"))
	defer client.Close()

	//snippet:interceptor
	logged := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		began := time.Now()
		err := invoke(ctx, method, req, reply, cc, opts...)
		slog.DebugContext(ctx, "called", "method", method, "took", time.Since(began), "error", err)
		return err
	}
	conn := grpcparley.NewClientConn(client,
		grpcparley.WithUnaryClientInterceptors(logged),
		grpcparley.WithCallOptions(
			grpc.WaitForReady(true),
			grpcparley.CallOptions(rpc.WithIdleTimeout(time.Minute)), // an option of package rpc
		))
	//snippet:end
	res, err := talkv1.NewTalkServiceClient(conn).Say(context.Background(), &talkv1.SayRequest{Text: "hello"})
	fmt.Println(res.GetText(), err)
	// Output: hello <nil>
}
