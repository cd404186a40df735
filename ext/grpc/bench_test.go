package grpcparley_test

import (
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1/talkv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// echoer responds and does nothing else.
type echoer struct {
	talkv1.UnimplementedTalkServiceServer
}

func (echoer) Say(_ context.Context, req *talkv1.SayRequest) (*talkv1.SayResponse, error) {
	return &talkv1.SayResponse{Text: req.GetText()}, nil
}

// BenchmarkUnary makes small calls, 64 at once for each processor, with both
// ends in one process. It measures the cost of the adapters, compared with
// parley's own stubs and grpc-go.
func BenchmarkUnary(b *testing.B) {
	srv := rpc.NewServer()
	talkv1.RegisterTalkServiceServer(grpcparley.NewRegistrar(srv), echoer{})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Close()
	client := rpc.NewClient("ws" + strings.TrimPrefix(web.URL, "http"))
	defer client.Close()

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	peer := grpc.NewServer()
	talkv1.RegisterTalkServiceServer(peer, echoer{})
	served := make(chan error, 1)
	go func() { served <- peer.Serve(ln) }()
	defer func() {
		peer.Stop()
		<-served
	}()
	conn, err := grpc.NewClient("passthrough:///"+ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()

	req := &talkv1.SayRequest{Text: strings.Repeat("x", 100)}
	over, native, there := talkv1.NewTalkServiceClient(grpcparley.NewClientConn(client)), talkv1parley.NewTalkServiceClient(client), talkv1.NewTalkServiceClient(conn)
	for _, c := range []struct {
		name string
		say  func(context.Context) error
	}{
		{"grpc over parley", func(ctx context.Context) error { _, err := over.Say(ctx, req); return err }},
		{"parley to grpc's service", func(ctx context.Context) error { _, err := native.Say(ctx, req); return err }},
		{"grpc-go", func(ctx context.Context) error { _, err := there.Say(ctx, req); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := c.say(b.Context()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
