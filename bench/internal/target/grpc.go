package target

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
)

type grpcGo struct{}

// GRPC is grpc-go over TCP, without TLS.
func GRPC() drive.Target { return grpcGo{} }

func (grpcGo) About() drive.About {
	return drive.About{Name: "grpc-go", Module: "google.golang.org/grpc", Options: true}
}

func (grpcGo) Serve(ln net.Listener, s drive.Setup) (stop func(), err error) {
	if s.Options {
		return serveGRPC(ln, grpc.UnaryInterceptor(grpcCheck)), nil
	}
	return serveGRPC(ln), nil
}

// grpcCheck checks the options of calls.
func grpcCheck(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	err := checkOptions(ctx, func(key string) string { return strings.Join(md[key], "") })
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// grpcMetadata is an interceptor that adds the metadata: grpc-go has no call option
// for that.
func grpcMetadata(ctx context.Context, method string, req, res any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx = metadata.AppendToOutgoingContext(ctx, tenantKey, metadataValue, requestKey, metadataValue)
	return invoke(ctx, method, req, res, cc, opts...)
}

func serveGRPC(ln net.Listener, opts ...grpc.ServerOption) (stop func()) {
	srv := grpc.NewServer(opts...)
	benchv1.RegisterBenchServiceServer(srv, grpcService{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(ln) }) // ends with Stop
	return func() {
		srv.Stop()
		serving.Wait()
	}
}

type grpcService struct {
	benchv1.UnimplementedBenchServiceServer
}

func (grpcService) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

func (grpcService) Download(req *benchv1.DownloadRequest, out grpc.ServerStreamingServer[benchv1.DownloadResponse]) error {
	return service.Download(req, out.Send)
}

func (grpcService) Upload(in grpc.ClientStreamingServer[benchv1.UploadRequest, benchv1.UploadResponse]) error {
	res, err := service.Upload(in.Recv)
	if err != nil {
		return err
	}
	return in.SendAndClose(res)
}

func (grpcService) Talk(both grpc.BidiStreamingServer[benchv1.TalkRequest, benchv1.TalkResponse]) error {
	return service.Talk(both.Recv, both.Send)
}

func (grpcGo) Dial(_ context.Context, addr string, s drive.Setup) (drive.Client, error) {
	if !s.Options {
		return dialGRPC(addr)
	}
	c, err := dialGRPC(addr, grpc.WithUnaryInterceptor(grpcMetadata))
	return deadlineClient{c}, err
}

func dialGRPC(addr string, opts ...grpc.DialOption) (drive.Client, error) {
	opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	conn, err := grpc.NewClient("passthrough:///"+addr, opts...)
	if err != nil {
		return nil, err
	}
	return &grpcClient{conn: conn, stub: benchv1.NewBenchServiceClient(conn)}, nil
}

type grpcClient struct {
	conn io.Closer
	stub benchv1.BenchServiceClient
}

func (c *grpcClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return c.stub.Echo(ctx, req)
}

func (c *grpcClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	return c.stub.Download(ctx, req)
}

func (c *grpcClient) Upload(ctx context.Context) (drive.Upload, error) { return c.stub.Upload(ctx) }
func (c *grpcClient) Talk(ctx context.Context) (drive.Talk, error)     { return c.stub.Talk(ctx) }
func (c *grpcClient) Close() error                                     { return c.conn.Close() }
