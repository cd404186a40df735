// Package server runs one server of the chat, alone or as a node of a cluster.
package server

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rpc/parley/examples/chat/page"
	"github.com/parley-rpc/parley/examples/chat/room"
	"github.com/parley-rpc/parley/examples/internal/serve"
	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/gen/parley/chat/v1/chatv1parley"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/rpc/health"
	"github.com/parley-rpc/parley/transport/ws"
)

const (
	// NodePath is where a server serves the other nodes.
	NodePath = "/node"
	// HealthPath is where a server answers 200 while it takes new members, and
	// 503 while it ends.
	HealthPath = "/healthz"
)

// Config configures a server.
type Config struct {
	// Addr is the TCP address for pages and terminals.
	Addr string
	// Cluster is the configuration of the node. Without a Bus, the server is
	// alone.
	Cluster cluster.Config
	// NodeAddr is the TCP address for other nodes, if there is a Bus. They reach
	// it at Cluster.Advertise: by default "ws://", NodeAddr and NodePath.
	NodeAddr string
	// HealthAddr is the TCP address for health checks by HTTP, at HealthPath.
	// Empty: there are none.
	HealthAddr string
	// Grace is how long the members have to move to other servers when this one
	// ends.
	Grace time.Duration
}

// Run serves until ctx ends. It calls ready with the URL of the page as soon as
// members can connect.
func Run(ctx context.Context, config Config, ready func(url string)) error {
	if config.Cluster.Bus != nil {
		config.Cluster.Advertise = cmp.Or(config.Cluster.Advertise, "ws://"+config.NodeAddr+NodePath)
	}
	config.Cluster.Identify = room.Identify
	node, err := cluster.New(config.Cluster)
	if err != nil {
		return err
	}
	defer node.Close()
	service := room.NewService(node)
	srv := rpc.NewServer(service.ServerOptions()...)
	chatv1parley.RegisterChatServiceServer(srv, service)

	forMembers := http.NewServeMux()
	forMembers.Handle(serve.Path, node.Handler(srv))
	forMembers.Handle("/", page.Handler())
	web, err := listen(config.Addr, forMembers)
	if err != nil {
		return err
	}
	defer web.close()
	if config.Cluster.Bus != nil {
		forNodes := http.NewServeMux()
		forNodes.Handle(NodePath, node.NodeHandler())
		inner, err := listen(config.NodeAddr, forNodes)
		if err != nil {
			return err
		}
		defer inner.close()
	}
	status := health.NewServer()
	if config.HealthAddr != "" {
		forChecks := http.NewServeMux()
		forChecks.Handle(HealthPath, status)
		checks, err := listen(config.HealthAddr, forChecks)
		if err != nil {
			return err
		}
		defer checks.close()
	}

	running, stop := context.WithCancel(context.Background())
	defer stop()
	var watching sync.WaitGroup
	watching.Go(func() { service.Run(running) })
	ready("http://" + web.addr)
	select {
	case <-ctx.Done():
	case err = <-web.ended:
	}
	status.Shutdown()
	leaving, cancel := context.WithTimeout(context.Background(), config.Grace)
	defer cancel()
	if config.Grace > 0 {
		_ = node.Shutdown(leaving) // those that are left after Grace are cut off
	}
	_ = srv.Close()
	stop()
	watching.Wait()
	return err
}

// site is an HTTP server that runs.
type site struct {
	addr  string
	http  *http.Server
	ended chan error // gets why it has ended by itself
}

// listen serves a handler on a TCP address.
func listen(addr string, handler http.Handler) (*site, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &site{addr: listener.Addr().String(), ended: make(chan error, 1)}
	s.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	go func() {
		if err := s.http.Serve(ws.Pace(s.http, listener)); !errors.Is(err, http.ErrServerClosed) {
			s.ended <- err
		}
	}()
	return s, nil
}

func (s *site) close() { _ = s.http.Close() }
