package target

import (
	"context"
	"errors"
	"net"
	"sync"

	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcpool"
	"storj.io/drpc/drpcserver"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	"github.com/parley-rpc/parley/bench/internal/service"
)

type drpc struct{}

// DRPC is drpc over TCP. It does not multiplex: each call in flight has a
// connection to itself, out of drpc's own pool, which has no limit.
func DRPC() drive.Target { return drpc{} }

func (drpc) About() drive.About {
	return drive.About{Name: "drpc", Module: "storj.io/drpc", Shares: drive.Pooled}
}

func (drpc) Serve(ln net.Listener, _ drive.Setup) (stop func(), err error) {
	mux := drpcmux.New()
	if err := benchv1.DRPCRegisterBenchService(mux, drpcService{}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = drpcserver.New(mux).Serve(ctx, ln) }) // ends with ctx
	return func() {
		cancel()
		serving.Wait()
	}, nil
}

type drpcService struct{}

func (drpcService) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

func (drpcService) Download(req *benchv1.DownloadRequest, out benchv1.DRPCBenchService_DownloadStream) error {
	return service.Download(req, out.Send)
}

func (drpcService) Upload(in benchv1.DRPCBenchService_UploadStream) error {
	res, err := service.Upload(in.Recv)
	if err != nil {
		return err
	}
	return in.SendAndClose(res)
}

func (drpcService) Talk(both benchv1.DRPCBenchService_TalkStream) error {
	return service.Talk(both.Recv, both.Send)
}

func (drpc) Dial(ctx context.Context, addr string, _ drive.Setup) (drive.Client, error) {
	c := &drpcClient{pool: drpcpool.New[string, *drpcconn.Conn](drpcpool.Options{})}
	c.stub = benchv1.NewDRPCBenchServiceClient(c.pool.Get(ctx, addr, c.connect))
	return c, nil
}

type drpcClient struct {
	stub benchv1.DRPCBenchServiceClient
	pool *drpcpool.Pool[string, *drpcconn.Conn]

	mu    sync.Mutex
	conns []*drpcconn.Conn // including those that calls have taken out of the pool
}

func (c *drpcClient) connect(ctx context.Context, addr string) (*drpcconn.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	d := drpcconn.New(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, d)
	return d, nil
}

func (c *drpcClient) Echo(ctx context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return c.stub.Echo(ctx, req)
}

func (c *drpcClient) Download(ctx context.Context, req *benchv1.DownloadRequest) (drive.Download, error) {
	return c.stub.Download(ctx, req)
}

func (c *drpcClient) Upload(ctx context.Context) (drive.Upload, error) { return c.stub.Upload(ctx) }
func (c *drpcClient) Talk(ctx context.Context) (drive.Talk, error)     { return c.stub.Talk(ctx) }

func (c *drpcClient) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := []error{c.pool.Close()}
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}
