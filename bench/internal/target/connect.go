package target

import (
	"context"
	"net"
	"net/http"
	"sync"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/gen/bench/v1/benchv1connect"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
)

type connectGo struct{}

// Connect is connect-go with the gRPC protocol, over the HTTP/2 of net/http
// without TLS. Its servers compress all answers by default. No other target
// compresses, and these payloads cannot be compressed, so that is off.
func Connect() drive.Target { return connectGo{} }

func (connectGo) About() drive.About {
	return drive.About{Name: "connect-go", Module: "connectrpc.com/connect/v2"}
}

func (connectGo) Serve(ln net.Listener, s drive.Setup) (stop func(), err error) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	web := &http.Server{
		Handler:   connectHandler(),
		Protocols: protocols,
		HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: s.Streams},
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(ln) }) // ends with Close
	return func() {
		_ = web.Close()
		serving.Wait()
	}, nil
}

func connectHandler() http.Handler {
	srv := connect.NewServer()
	benchv1connect.RegisterBenchServiceHandler(srv, connectService{})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, srv, connecthttp.WithCompressors())
	return mux
}

type connectService struct{}

func (connectService) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

func (connectService) Download(_ context.Context, req *benchv1.DownloadRequest, out benchv1connect.BenchServiceDownloadServerStream) error {
	return service.Download(req, out.Send)
}

func (connectService) Upload(_ context.Context, in benchv1connect.BenchServiceUploadServerStream) (*benchv1.UploadResponse, error) {
	return service.Upload(in.Receive)
}

func (connectService) Talk(_ context.Context, both benchv1connect.BenchServiceTalkServerStream) error {
	return service.Talk(both.Receive, both.Send)
}

func (connectGo) Dial(_ context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	web := &http.Transport{Protocols: protocols}
	c := connect.NewClient(connecthttp.NewTransport(&http.Client{Transport: web}, "http://"+addr,
		connecthttp.WithGRPC(), connecthttp.WithCompressors()))
	return &connectClient{web: web, stub: benchv1connect.NewBenchServiceClient(c)}, nil
}

type connectClient struct {
	web  *http.Transport
	stub benchv1connect.BenchServiceClient
}

func (c *connectClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return c.stub.Echo(ctx, req)
}

func (c *connectClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	s, err := c.stub.Download(ctx, req)
	return connectDownload{s}, err
}

func (c *connectClient) Upload(ctx context.Context) (drive.Upload, error) {
	s, err := c.stub.Upload(ctx)
	return connectUpload{s}, err
}

func (c *connectClient) Talk(ctx context.Context) (drive.Talk, error) {
	s, err := c.stub.Talk(ctx)
	return connectTalk{s}, err
}

func (c *connectClient) Close() error {
	c.web.CloseIdleConnections()
	return nil
}

// These have the names of methods that the other frameworks use.

type connectDownload struct {
	benchv1connect.BenchServiceDownloadClientStream
}

func (s connectDownload) Recv() (*benchv1.DownloadResponse, error) { return s.Receive() }

type connectUpload struct {
	benchv1connect.BenchServiceUploadClientStream
}

func (s connectUpload) CloseAndRecv() (*benchv1.UploadResponse, error) { return s.CloseAndReceive() }

type connectTalk struct {
	benchv1connect.BenchServiceTalkClientStream
}

func (s connectTalk) Recv() (*benchv1.TalkResponse, error) { return s.Receive() }
