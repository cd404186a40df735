package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	benchv1 "github.com/parley-rpc/parley/bench/gen/bench/v1"
	"github.com/parley-rpc/parley/bench/gen/bench/v1/benchv1parley"
	"github.com/parley-rpc/parley/bench/internal/proc"
	"github.com/parley-rpc/parley/bench/internal/service"
	"github.com/parley-rpc/parley/rpc"
)

// clients is the process of all clients.
type clients struct {
	all         map[string]*client
	subscribers []*subscriber
}

// client is a client that serves the benchmark's service.
type client struct {
	*rpc.Client

	road    road
	resumed chan struct{}
}

// road leads to a server, and can be moved to another.
type road struct {
	mu   sync.Mutex
	addr string
	conn net.Conn
}

func (r *road) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	r.mu.Lock()
	addr := r.addr
	r.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	r.mu.Lock()
	r.conn = conn
	r.mu.Unlock()
	return conn, err
}

// move cuts the connection. The next leads to another server.
func (r *road) move(addr string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addr = addr
	return r.conn.Close()
}

// serveClients is the process of the clients. Its commands: connect, move,
// leave, call, subscribe, collect, look.
func serveClients() error {
	slog.SetLogLoggerLevel(slog.LevelError)
	if err := proc.Report(answer{}); err != nil {
		return err
	}
	cs := &clients{all: make(map[string]*client)}
	return answering(cs.do)
}

func (cs *clients) do(c command) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch c.Do {
	case "connect":
		err = cs.connect(ctx, c)
	case "move":
		err = cs.moveAll(ctx, c)
	case "leave":
		cs.leave()
	case "call":
		a.Calls, err = c.Load.run(ctx, cs.all[c.Client])
	case "subscribe":
		err = cs.subscribe(c)
	case "collect":
		a.Fan, err = cs.collect(c.Number)
	case "look":
		a.Usage, err = proc.Look(proc.Memory)
	default:
		err = fmt.Errorf("unknown command %q", c.Do)
	}
	return answerOf(a, err)
}

// dialing is how many clients connect at the same time.
const dialing = 64

// connect connects clients with the names Client0, Client1 and so on, or one
// with the name Client.
func (cs *clients) connect(ctx context.Context, c command) error {
	var all errgroup.Group
	all.SetLimit(dialing)
	for i := range c.Clients {
		client := newClient(clientName(c, i), c.URLs[i%len(c.URLs)])
		cs.all[clientName(c, i)] = client
		all.Go(func() error {
			_, err := client.Connect(ctx)
			return err
		})
	}
	return all.Wait()
}

func clientName(c command, i int) string {
	if c.Clients == 1 {
		return c.Client
	}
	return fmt.Sprint(c.Client, i)
}

func newClient(name, addr string) *client {
	c := &client{road: road{addr: addr}, resumed: make(chan struct{}, 1)}
	services := rpc.NewMux()
	benchv1parley.RegisterBenchServiceServer(services, served{})
	c.Client = rpc.NewClient("ws://server/rpc", rpc.WithNetDial(c.road.dial),
		rpc.WithHTTPHeader(http.Header{clientHeader: {name}}), rpc.WithServices(services),
		rpc.OnResumed(func(*rpc.Conn) {
			select {
			case c.resumed <- struct{}{}:
			default: // a cut that was not ours
			}
		}))
	return c
}

// served is what a client serves.
type served struct {
	benchv1parley.UnimplementedBenchServiceServer
}

func (served) Echo(_ context.Context, req *benchv1.EchoRequest) (*benchv1.EchoResponse, error) {
	return service.Echo(req), nil
}

func (served) Download(_ context.Context, req *benchv1.DownloadRequest, out rpc.Sender[benchv1.DownloadResponse]) error {
	return service.Download(req, out.Send)
}

// moveAll moves the clients that connect has made, several at a time.
func (cs *clients) moveAll(ctx context.Context, c command) error {
	var all errgroup.Group
	all.SetLimit(dialing)
	for i := range c.Clients {
		all.Go(func() error { return cs.all[clientName(c, i)].move(ctx, c.URLs[0]) })
	}
	return all.Wait()
}

// move cuts a client's link. It resumes its session through another server.
func (client *client) move(ctx context.Context, addr string) error {
	conn, err := client.Connect(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.Ping(ctx); err != nil { // before it, there may be no session to resume
		return err
	}
	if err := client.road.move(addr); err != nil {
		return err
	}
	select {
	case <-client.resumed:
		return nil
	case <-conn.Done():
		return fmt.Errorf("the session did not resume: %w", conn.Err())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (cs *clients) leave() {
	for _, s := range cs.subscribers {
		s.end()
	}
	var all sync.WaitGroup
	for _, c := range cs.all {
		all.Go(func() { _ = c.Close() })
	}
	all.Wait()
	clear(cs.all)
	cs.subscribers = nil
}
