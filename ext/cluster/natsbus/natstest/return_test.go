package natstest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
	"github.com/parley-rpc/parley/ext/cluster/natsbus"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

// crowd is a node with many clients. It is no test of links, so they are pipes.
type crowd struct {
	*cluster.Node
	srv *rpc.Server
}

func newCrowd(tb testing.TB, s *natsServer) *crowd {
	tb.Helper()
	nc, err := nats.Connect(s.server.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(250*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	bus := natsbus.New(nc)
	node, err := cluster.New(cluster.Config{
		Bus: bus, Advertise: "ws://127.0.0.1:1/node",
		Credentials: cluster.Credentials{Secret: "a secret of the cluster's nodes"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{Node: node, srv: rpc.NewServer(node.ServerOptions()...)}
	tb.Cleanup(func() {
		_ = c.srv.Close()
		node.Close()
		_ = bus.Close()
		nc.Close()
	})
	return c
}

// join connects a client.
func (c *crowd) join(tb testing.TB, name string) {
	tb.Helper()
	dialer, acceptor := pipe.New(pipe.Config{})
	if err := c.srv.ServeLink(rpc.WithPrincipal(tb.Context(), name), acceptor, rpc.Peer{}); err != nil {
		tb.Fatal(err)
	}
	sess, err := transport.NewSession(dialer, transport.Dialer, transport.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sess.Close(transport.CloseNormal, "") })
	if _, err := sess.Ping(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// wait waits until a node finds clients at another one, and returns how long
// that takes.
func (c *crowd) wait(tb testing.TB, names []string, at *crowd) time.Duration {
	tb.Helper()
	start := time.Now()
	todo := make(chan string)
	var lookups sync.WaitGroup
	for range 32 {
		lookups.Go(func() {
			for name := range todo {
				for {
					ctx, cancel := context.WithTimeout(context.Background(), limit)
					p, err := c.Lookup(ctx, name)
					cancel()
					if err == nil && p.Node == at.ID() {
						break
					}
					if time.Since(start) > limit {
						tb.Errorf("%s is not found: %+v, %v", name, p, err)
						break
					}
					<-time.After(time.Millisecond)
				}
			}
		})
	}
	for _, name := range names {
		todo <- name
	}
	close(todo)
	lookups.Wait()
	return time.Since(start)
}

// returnOfNATS kills NATS and starts it again. It returns how long after that
// the directory is right: stay is for the clients of a node that has many, moved
// for those that have moved to another node in the meantime.
func returnOfNATS(tb testing.TB, clients, movers int) (stay, moved time.Duration) {
	tb.Helper()
	s := newServer(tb)
	a, b, other := newCrowd(tb, s), newCrowd(tb, s), newCrowd(tb, s)
	var names []string
	for i := range clients {
		names = append(names, fmt.Sprint("client-", i))
		a.join(tb, names[i])
	}
	staying, moving := names[movers:], names[:movers]
	b.wait(tb, names, a)
	s.kill()
	for _, name := range moving {
		b.join(tb, name)
	}
	b.wait(tb, moving, b)
	s.start()
	var both sync.WaitGroup
	both.Go(func() { moved = a.wait(tb, moving, b) }) // a yields
	both.Go(func() { stay = other.wait(tb, staying, a) })
	both.Wait()
	return stay, moved
}

func TestTheDirectoryIsRightSoonAfterNATSReturns(t *testing.T) {
	if stay, moved := returnOfNATS(t, 500, 50); stay > 3*time.Second || moved > 3*time.Second {
		t.Errorf("clients were found after %v, those that had moved after %v", stay, moved)
	}
}

// BenchmarkReturnOfNATS kills NATS and starts it again, while a node has 10,000
// clients, and measures how long it takes until the directory is right.
func BenchmarkReturnOfNATS(b *testing.B) {
	var stay, moved time.Duration
	for range b.N {
		s, m := returnOfNATS(b, 10_000, 100)
		stay, moved = max(stay, s), max(moved, m)
	}
	b.ReportMetric(stay.Seconds(), "s-all-found")
	b.ReportMetric(moved.Seconds(), "s-moved-right")
}
