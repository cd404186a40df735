package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/gen/bench/v1/benchv1parley"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/service"
	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
	"github.com/parley-rpc/parley/rpc"
)

// clientHeader names the client in the handshake.
const clientHeader = "Authorization"

// node is a server process.
type node struct {
	benchv1parley.UnimplementedBenchServiceServer

	node  *cluster.Node // nil: plain
	topic *cluster.Topic[*benchv1.DownloadResponse]
}

// serveNode is the process of a node. Its commands: call, publish, look.
func serveNode(j job) error {
	slog.SetLogLoggerLevel(slog.LevelWarn)
	authenticate := rpc.WithAuthentication(func(r *http.Request) (context.Context, error) {
		return rpc.WithPrincipal(r.Context(), r.Header.Get(clientHeader)), nil
	})
	opts := []rpc.ServerOption{authenticate}
	n := new(node)
	if j.Kind != plain {
		config, end, err := clusterConfig(j)
		if err != nil {
			return err
		}
		defer end()
		if n.node, err = cluster.New(config.Config); err != nil {
			return err
		}
		defer n.node.Close()
		if config.inner != nil {
			go func() { _ = http.Serve(config.inner, n.node.NodeHandler()) }() //nolint:gosec // of loopback alone
		}
		n.topic = cluster.TopicOf[*benchv1.DownloadResponse](n.node, "room")
		opts = append(opts, n.node.ServerOptions()...)
	}
	srv := rpc.NewServer(opts...)
	defer srv.Close() //nolint:errcheck // the process ends
	benchv1parley.RegisterBenchServiceServer(srv, n)
	var handler http.Handler = srv
	if n.node != nil {
		handler = n.node.Handler(srv)
	}
	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(clients, handler) }() //nolint:gosec // of loopback alone
	if err := proc.Report(answer{Address: clients.Addr().String()}); err != nil {
		return err
	}
	return answering(n.do)
}

// clusterNode is the configuration of a node, and its listener for others.
type clusterNode struct {
	cluster.Config

	inner net.Listener
}

// clusterConfig returns the configuration of a node, and what ends its bus.
func clusterConfig(j job) (c clusterNode, end func(), err error) {
	c.Name = j.Name
	if j.Kind == alone {
		return c, func() {}, nil
	}
	nc, err := nats.Connect(j.NATS)
	if err != nil {
		return c, nil, err
	}
	if c.inner, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		nc.Close()
		return c, nil, err
	}
	c.Bus = natsbus.New(nc)
	c.Advertise = "ws://" + c.inner.Addr().String() + "/node"
	c.Credentials = cluster.Credentials{Secret: "known to the nodes of this benchmark"}
	return c, nc.Close, nil
}

// do does what the parent asks.
func (n *node) do(c command) (a answer) {
	ctx := context.Background()
	var err error
	switch c.Do {
	case "call":
		a.Calls, err = c.Load.run(ctx, n.node.Client(c.Client))
	case "publish":
		a.Number, err = n.publish(ctx, c)
	case "look":
		a.Usage, err = proc.Look(proc.Memory)
	default:
		err = fmt.Errorf("unknown command %q", c.Do)
	}
	return answerOf(a, err)
}

// publish publishes messages at a rate, and returns how many.
func (n *node) publish(ctx context.Context, c command) (uint64, error) {
	total := uint64(c.Rate * c.For.Seconds())
	began := time.Now()
	for i := range total {
		time.Sleep(time.Until(began.Add(time.Duration(float64(i) / c.Rate * float64(time.Second)))))
		if err := n.topic.Publish(ctx, stamped(c.Number+i)); err != nil {
			return i, err
		}
	}
	return total, nil
}

// Echo gives the payload back, for the calls of clients.
func (n *node) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

// Download sends the messages of the topic to a client.
func (n *node) Download(ctx context.Context, _ *benchv1.DownloadRequest, out rpc.Sender[benchv1.DownloadResponse]) error {
	return n.topic.Serve(ctx, "", func(d cluster.Delivery[*benchv1.DownloadResponse]) error {
		if d.Gap.Missing() {
			if err := out.Send(gapMessage(d.Gap)); err != nil {
				return err
			}
		}
		if d.Message == nil {
			return nil
		}
		return out.Send(d.Message)
	})
}
