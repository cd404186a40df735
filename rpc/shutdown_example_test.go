package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// http.Server.Shutdown does not know of the connections that have become
// WebSockets. The rpc.Server takes leave of them first, while the HTTP server
// still answers: new handshakes with 503, and clients whose link was lost,
// which come back for the outcome of their calls.
func ExampleServer_Shutdown() {
	srv := rpc.NewServer(rpc.WithDrain(rpc.Drain{Restart: true}))
	pingv1parley.RegisterPingServiceServer(srv, pinger{})
	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()

	// A program does this when it gets a signal: signal.NotifyContext.
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	if err := errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx)); err != nil {
		fmt.Println("calls were cut off:", err)
	}
	fmt.Println(<-served)
	// Output: http: Server closed
}
