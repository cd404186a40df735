package parleyconnect_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"time"

	parleyconnect "github.com/parley-rpc/parley/ext/connect"
	"github.com/parley-rpc/parley/rpc"
)

// A server of WebSockets at /rpc, and of HTTP under /rpc/ and at the root, where
// stubs of gRPC call.
func Example() {
	mux := http.NewServeMux()
	//snippet:mount
	srv := rpc.NewServer()
	calls := parleyconnect.NewHandler(srv)
	mux.Handle("/rpc", srv)                              // WebSockets
	mux.Handle("/rpc/", http.StripPrefix("/rpc", calls)) // curl, and clients of Connect and gRPC-Web
	mux.Handle("/", calls)                               // clients of gRPC, which have no path before the service
	//snippet:end

	//snippet:http2
	web := &http.Server{Addr: "localhost:8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	web.Protocols.SetHTTP1(true)
	web.Protocols.SetHTTP2(true)            // with TLS
	web.Protocols.SetUnencryptedHTTP2(true) // without, behind a proxy
	//snippet:end
	if err := web.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// Calls in flight finish: those of WebSockets and of HTTP.
func ExampleHandler_shutdown() {
	srv := rpc.NewServer()
	web := &http.Server{Handler: parleyconnect.NewHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	//snippet:shutdown
	err := errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx))
	//snippet:end
	if err != nil {
		log.Print(err)
	}
}
