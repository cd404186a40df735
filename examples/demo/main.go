// Command demo starts a server as a process of its own, makes every kind of
// call to it over one WebSocket, and prints what happens. It exits 0 only if
// all of it happened as expected.
//
//	make demo
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/examples/internal/serve"
	"github.com/parley-rpc/parley/examples/pinger"
	"github.com/parley-rpc/parley/examples/reverse/hub"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
)

const usage = `usage: demo             starts a server, and a client of it
       demo server      only the server; ends when its input does
       demo client URL  only the client
`

// longest bounds the whole demo, which takes a second or two.
const longest = time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run runs the command of args until it is done or ctx ends.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	switch {
	case len(args) == 0:
		return both(ctx, out)
	case args[0] == "server" && len(args) == 1:
		return server(ctx, in, out)
	case args[0] == "client" && len(args) == 2:
		return client(ctx, args[1], out)
	}
	fmt.Fprint(out, usage)
	return fmt.Errorf("not understood: %q", args)
}

// both runs the server in a process of its own and the client in this one.
func both(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	srv, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, srv.end())
		if errors.Is(ctx.Err(), context.Canceled) {
			err = errors.New("interrupted") // all other errors follow from this
		}
	}()
	fmt.Fprintf(out, "The server is process %d, at %s. The client is process %d.\n", srv.pid(), srv.url, os.Getpid())
	return client(ctx, srv.url, out)
}

// server prints its URL and serves until in or ctx ends. in belongs to the
// process that has started it, so it does not outlive that process.
func server(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		_, _ = io.Copy(io.Discard, in) // with an error too, the input is over
	}()
	srv := hub.NewServer()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
	return serve.Until(ctx, "127.0.0.1:0", srv, http.NotFoundHandler(), func(url string) { fmt.Fprintln(out, url) })
}
