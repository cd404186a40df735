package target

import (
	"context"
	"net"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/internal/drive"
	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/rpc"
)

type parleyGRPC struct{}

// ParleyGRPC is parley with the stubs of grpc-go at both ends.
func ParleyGRPC() drive.Target { return parleyGRPC{} }

func (parleyGRPC) About() drive.About {
	return drive.About{
		Name:   "parley-grpc",
		Module: "github.com/parley-rpc/parley/ext/grpc",
		// What is on the wire and in memory is as with parley.
		Lacks: []string{"idle-conns", "idle-streams", "first", "wire", "wire-64"},
	}
}

func (parleyGRPC) Serve(ln net.Listener, s drive.Setup) (stop func(), err error) {
	srv := rpc.NewServer(rpc.WithTransport(parleyTransport(s)))
	benchv1.RegisterBenchServiceServer(grpcparley.NewRegistrar(srv), grpcService{})
	return serveParley(ln, srv), nil
}

func (parleyGRPC) Dial(_ context.Context, addr string, s drive.Setup) (drive.Client, error) {
	c := rpc.NewClient("ws://"+addr+"/", rpc.WithTransport(parleyTransport(s)))
	return &grpcClient{conn: c, stub: benchv1.NewBenchServiceClient(grpcparley.NewClientConn(c))}, nil
}
