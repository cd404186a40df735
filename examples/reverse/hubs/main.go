// Command hubs is the hub of the reverse example on several machines: devices
// dial any of them, and an operator at any of them calls a device anywhere. NATS
// joins them. The devices and operators are those of examples/reverse:
//
//	export HUB_SECRET=known-to-all-hubs
//	go run . -addr localhost:8081 -nodes localhost:7081 &
//	go run . -addr localhost:8082 -nodes localhost:7082 &
//	go run ../ agent -url ws://localhost:8081/rpc -name kitchen &
//	go run ../ watch -url ws://localhost:8082/rpc -name kitchen
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
	"github.com/parley-rpc/parley/gen/parley/agent/v1/agentv1parley"
	"github.com/parley-rpc/parley/rpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hubs:", err)
		os.Exit(1)
	}
}

// run runs a hub until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("hubs", flag.ContinueOnError)
	flags.SetOutput(out)
	addr := flags.String("addr", "localhost:8080", "`address` for devices and operators")
	nodes := flags.String("nodes", "localhost:7080", "`address` for the other hubs, at which they reach this one")
	server := flags.String("nats", nats.DefaultURL, "`URL` of the NATS server that all hubs have")
	if err := flags.Parse(args); err != nil {
		return err
	}
	nc, err := nats.Connect(*server, nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
	if err != nil {
		return fmt.Errorf("%s: %w", *server, err)
	}
	defer nc.Close()
	bus := natsbus.New(nc)
	defer bus.Close() //nolint:errcheck // the program ends
	clients, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer clients.Close() //nolint:errcheck // serve has closed it, or has not begun
	others, err := net.Listen("tcp", *nodes)
	if err != nil {
		return err
	}
	defer others.Close() //nolint:errcheck // serve has closed it, or has not begun

	//snippet:hub
	node, err := cluster.New(cluster.Config{
		Bus:         bus,
		Advertise:   "ws://" + others.Addr().String(),
		Credentials: cluster.Credentials{Secret: os.Getenv("HUB_SECRET")},
		Identify:    nameOf,
	})
	if err != nil {
		return err
	}
	srv := rpc.NewServer(node.ServerOptions()...)
	agentv1parley.RegisterHubServiceServer(srv, &clusterHub{node: node})
	//snippet:end
	fmt.Fprintf(out, "serving ws://%s/rpc\n", clients.Addr())
	endpoint := http.NewServeMux()
	endpoint.Handle("/rpc", node.Handler(srv))
	return serve(ctx, node, map[net.Listener]http.Handler{clients: endpoint, others: node.NodeHandler()})
}

// shutdownTime is how long calls in flight may take when a hub ends.
const shutdownTime = 5 * time.Second

// serve serves until ctx ends, and then moves the devices to other hubs.
func serve(ctx context.Context, node *cluster.Node, handlers map[net.Listener]http.Handler) error {
	var servers []*http.Server
	ended := make(chan error, len(handlers))
	for listener, handler := range handlers {
		web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, web)
		go func() { ended <- web.Serve(listener) }()
	}
	<-ctx.Done()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	err := node.Shutdown(leaving)
	for _, web := range servers {
		_ = web.Close()
	}
	for range servers {
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
