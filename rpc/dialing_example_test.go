package rpc_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// A client reaches a server on a Unix socket.
func ExampleWithNetDial() {
	folder, err := os.MkdirTemp("", "parley")
	if err != nil {
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "rpc.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		return
	}
	srv := rpc.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, greeter{})
	web := &http.Server{Handler: srv, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
	go web.Serve(l) //nolint:errcheck // ends with Close
	defer web.Close()
	defer srv.Close()

	//snippet:unix
	client := rpc.NewClient("ws://unix/rpc", rpc.WithNetDial(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}))
	//snippet:end
	defer client.Close()
	res, err := pingv1parley.NewPingServiceClient(client).Ping(context.Background(), &pingv1.PingRequest{Text: "socket"})
	fmt.Println(res.GetText(), err)
	// Output: hello, socket <nil>
}
