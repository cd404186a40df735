package reflection_test

import (
	"net/http"

	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/reflection"
)

func Example() {
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, pingv1parley.UnimplementedPingServiceServer{})
	reflection.Register(srv)
	http.Handle("/rpc", srv)
	// parley list ws://localhost:8080/rpc
}
