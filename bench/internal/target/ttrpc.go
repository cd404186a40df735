package target

import (
	"context"
	"net"
	"sync"

	"github.com/containerd/log"
	containerd "github.com/containerd/ttrpc"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
)

type ttrpc struct{}

// TTRPC is containerd's ttrpc over TCP. It has no flow control of its own.
func TTRPC() drive.Target { return ttrpc{} }

func (ttrpc) About() drive.About {
	return drive.About{Name: "ttrpc", Module: "github.com/containerd/ttrpc"}
}

// quiet stops ttrpc from logging that connections end while streams are open.
// Callers get the errors too.
func (ttrpc) quiet() error { return log.SetLevel(log.PanicLevel.String()) }

func (t ttrpc) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	if err := t.quiet(); err != nil {
		return nil, err
	}
	srv, err := containerd.NewServer()
	if err != nil {
		return nil, err
	}
	benchv1.RegisterTTRPCBenchServiceService(srv, ttrpcService{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(context.Background(), ln) }) // ends with Close
	return func() {
		_ = srv.Close()
		serving.Wait()
	}, nil
}

type ttrpcService struct{}

func (ttrpcService) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

func (ttrpcService) Download(_ context.Context, req *benchv1.DownloadRequest, out benchv1.TTRPCBenchService_DownloadServer) error {
	return service.Download(req, out.Send)
}

func (ttrpcService) Upload(_ context.Context, in benchv1.TTRPCBenchService_UploadServer) (*benchv1.UploadResponse, error) {
	return service.Upload(in.Recv)
}

func (ttrpcService) Talk(_ context.Context, both benchv1.TTRPCBenchService_TalkServer) error {
	return service.Talk(both.Recv, both.Send)
}

func (t ttrpc) Dial(ctx context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	if err := t.quiet(); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := containerd.NewClient(conn)
	return &ttrpcClient{client: c, stub: benchv1.NewTTRPCBenchServiceClient(c)}, nil
}

type ttrpcClient struct {
	client *containerd.Client
	stub   benchv1.TTRPCBenchServiceClient
}

func (c *ttrpcClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return c.stub.Echo(ctx, req)
}

func (c *ttrpcClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	return c.stub.Download(ctx, req)
}

func (c *ttrpcClient) Upload(ctx context.Context) (drive.Upload, error) { return c.stub.Upload(ctx) }
func (c *ttrpcClient) Talk(ctx context.Context) (drive.Talk, error)     { return c.stub.Talk(ctx) }
func (c *ttrpcClient) Close() error                                     { return c.client.Close() }
