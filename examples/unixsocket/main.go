// Command unixsocket makes calls over a Unix socket instead of a WebSocket. All
// that Parley needs for that is a transport.Link, see link.go.
//
//	go run ./examples/unixsocket server -socket ping.sock
//	go run ./examples/unixsocket client -socket ping.sock
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "unixsocket:", err)
		os.Exit(1)
	}
}

// run runs the command of args until it is done or ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || args[0] != "server" && args[0] != "client" {
		return errors.New("usage: unixsocket server|client [-socket PATH]")
	}
	flags := flag.NewFlagSet("unixsocket", flag.ContinueOnError)
	flags.SetOutput(out)
	path := flags.String("socket", "ping.sock", "path of the socket")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "server" {
		return serve(ctx, *path, out)
	}
	return ping(ctx, *path, out)
}

// serve serves calls on the socket until ctx ends.
func serve(ctx context.Context, path string, out io.Writer) error {
	//snippet:serve
	srv := rpc.NewServer()
	defer func() { _ = srv.Close() }()
	pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})

	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	fmt.Fprintln(out, "listening on", path)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return nil // it was closed
		}
		peer := rpc.Peer{Addr: conn.RemoteAddr(), LocalAddr: conn.LocalAddr(), Protocol: "unix"}
		_ = srv.ServeLink(ctx, newLink(conn), peer) // an error was told to the client
	}
	//snippet:end
}

// ping makes a call over the socket.
func ping(ctx context.Context, path string, out io.Writer) error {
	//snippet:client
	var dialer net.Dialer
	client := rpc.NewClient(path, rpc.WithLinks(func(ctx context.Context, path string) (transport.Link, rpc.Peer, error) {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, rpc.Peer{}, err
		}
		return newLink(conn), rpc.Peer{Addr: conn.RemoteAddr(), Protocol: "unix"}, nil
	}))
	defer func() { _ = client.Close() }()

	res, err := pingv1parley.NewPingServiceClient(client).Ping(ctx, &pingv1.PingRequest{Text: "hello"})
	//snippet:end
	if err != nil {
		return err
	}
	fmt.Fprintln(out, res.Text)
	return nil
}
