package target

import (
	"context"
	"net"
	"net/http"
	"sync"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/gen/bench/v1/benchv1parley"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

type parley struct{}

// Parley is parley with its defaults: one WebSocket, resumption on. Workloads
// that have more than 1,024 streams open raise that limit at both ends.
func Parley() drive.Target { return parley{} }

func (parley) About() drive.About {
	return drive.About{Name: "parley", Module: "github.com/parley-rpc/parley", Options: true}
}

// parleyTransport returns the zero value, which means the defaults, unless more
// streams are needed than these allow.
func parleyTransport(s drive.Setup) transport.Parameters {
	return transport.Parameters{MaxStreams: s.Streams}
}

func (parley) Serve(ln net.Listener, s drive.Setup) (stop func(), err error) {
	return serveParley(ln, parleyServer(s)), nil
}

func serveParley(ln net.Listener, srv *rpc.Server) (stop func()) {
	web := &http.Server{Handler: srv}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(ln) }) // ends with Close
	return func() {
		_ = srv.Close()
		_ = web.Close()
		serving.Wait()
	}
}

// parleyCalls is how many calls the server allows. By default it is 100,000, of
// which one connection may have half; open-streams has as many on one.
const parleyCalls = 1 << 20

func parleyServer(s drive.Setup) *rpc.Server {
	opts := []rpc.ServerOption{rpc.WithTransport(parleyTransport(s)), rpc.WithLimits(rpc.Limits{MaxCalls: parleyCalls})}
	if s.Options {
		opts = append(opts, rpc.WithHandlerInterceptors(parleyCheck))
	}
	srv := rpc.NewServer(opts...)
	benchv1parley.RegisterBenchServiceServer(srv, parleyService{})
	return srv
}

// parleyCheck checks the options of calls.
func parleyCheck(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error {
		if err := checkOptions(ctx, rpc.FromContext(ctx).Header().Get); err != nil {
			return err
		}
		return next(ctx, s)
	}
}

// parleyPass is an interceptor that does nothing.
func parleyPass(next rpc.Handler) rpc.Handler {
	return func(ctx context.Context, s rpc.Stream) error { return next(ctx, s) }
}

type parleyService struct{}

func (parleyService) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

func (parleyService) Download(_ context.Context, req *benchv1.DownloadRequest, out rpc.Sender[benchv1.DownloadResponse]) error {
	return service.Download(req, out.Send)
}

func (parleyService) Upload(_ context.Context, in rpc.Receiver[benchv1.UploadRequest]) (*benchv1.UploadResponse, error) {
	return service.Upload(in.Recv)
}

func (parleyService) Talk(_ context.Context, in rpc.Receiver[benchv1.TalkRequest], out rpc.Sender[benchv1.TalkResponse]) error {
	return service.Talk(in.Recv, out.Send)
}

func (parley) Dial(_ context.Context, addr string, s drive.Setup) (drive.Client, error) {
	opts := []rpc.ClientOption{rpc.WithTransport(parleyTransport(s))}
	if s.Options {
		opts = append(opts, rpc.WithCallInterceptors(parleyPass))
	}
	c := rpc.NewClient("ws://"+addr+"/", opts...)
	client := &parleyClient{client: c, stub: benchv1parley.NewBenchServiceClient(c)}
	if !s.Options {
		return client, nil
	}
	client.opts = []rpc.CallOption{rpc.WithMetadata(tenantKey, metadataValue), rpc.WithMetadata(requestKey, metadataValue)}
	return deadlineClient{client}, nil
}

type parleyClient struct {
	client *rpc.Client
	stub   benchv1parley.BenchServiceClient
	opts   []rpc.CallOption // of unary calls
}

func (c *parleyClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return c.stub.Echo(ctx, req, c.opts...)
}

func (c *parleyClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	return c.stub.Download(ctx, req)
}

func (c *parleyClient) Upload(ctx context.Context) (drive.Upload, error) { return c.stub.Upload(ctx) }
func (c *parleyClient) Talk(ctx context.Context) (drive.Talk, error)     { return c.stub.Talk(ctx) }
func (c *parleyClient) Close() error                                     { return c.client.Close() }
