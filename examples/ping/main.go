// Command ping is a server and a client of PingService, which has one method of
// each of the four kinds of call. The server takes calls over WebSockets at
// /rpc, and those of Connect, gRPC and gRPC-Web under /rpc/.
//
//	go run ./examples/ping server
//	go run ./examples/ping client
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-rpc/parley/examples/internal/serve"
	"github.com/parley-rpc/parley/examples/pinger"
	parleyconnect "github.com/parley-rpc/parley/ext/connect"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/reflection"
)

const usage = `usage: ping server [-addr HOST:PORT]
       ping client [-url ws://HOST:PORT/rpc]
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ping:", err)
		os.Exit(1)
	}
}

// run runs the command of args until it is done or ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ping", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage) }
	addr := flags.String("addr", "localhost:8080", "")
	url := flags.String("url", "ws://localhost:8080"+serve.Path, "")
	if len(args) == 0 {
		args = []string{"help"}
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "server":
		//snippet:server
		srv := rpc.NewServer()
		pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
		reflection.Register(srv) // for the command parley
		// For curl, and clients of Connect, gRPC and gRPC-Web, under /rpc/.
		calls := http.StripPrefix(serve.Path, parleyconnect.NewHandler(srv))
		//snippet:end
		return serve.Until(ctx, *addr, srv, calls, func(url string) { fmt.Fprintln(out, "serving", url) })
	case "client":
		client := rpc.NewClient(*url)
		defer client.Close() //nolint:errcheck // the program ends
		return callAll(ctx, pingv1parley.NewPingServiceClient(client), out)
	}
	flags.Usage()
	return fmt.Errorf("%q is no command", args[0])
}
