package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/stats"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
	"github.com/parley-rpc/parley/tests/internal/faulty"
)

// arrangement connects clients of one framework to servers of another.
type arrangement struct {
	name string
	what string
	run  func(context.Context, testCase) error
}

var arrangements = []arrangement{
	{"grpc-grpc", "stubs of grpc on both ends", func(ctx context.Context, c testCase) error {
		return withServer(register, func(url string) error { return withStubs(ctx, url, c) })
	}},
	{"parley-grpc", "calls as parley's stubs make them, to a service registered by a stub of grpc", func(ctx context.Context, c testCase) error {
		return withServer(register, func(url string) error {
			client := rpc.NewClient(url)
			another := func(context.Context) (rpc.Caller, func() error, error) {
				client := rpc.NewClient(url)
				return client, client.Close, nil
			}
			return errors.Join(c.native(ctx, channels[rpc.Caller]{client, another}), client.Close())
		})
	}},
	{"proxy", "stubs of grpc, through the proxy to a server of grpc-go", throughProxy},
	{"cut", "stubs of grpc on both ends; each of the first calls loses its link when it begins, when it is open, and after its first message each way", withCuts},
}

// register registers the cases' service.
func register(srv *rpc.Server) error {
	testgrpc.RegisterTestServiceServer(grpcparley.NewRegistrar(srv), server{interop.NewTestServer()})
	return nil
}

// withServer calls use with the URL of a server on a real socket.
func withServer(register func(*rpc.Server) error, use func(url string) error) error {
	srv := rpc.NewServer()
	defer srv.Close() //nolint:errcheck // the process ends
	if err := register(srv); err != nil {
		return err
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	return use("ws" + strings.TrimPrefix(web.URL, "http"))
}

// withStubs runs a case with grpc's stubs.
func withStubs(ctx context.Context, url string, c testCase, opts ...grpcparley.ClientOption) error {
	client := rpc.NewClient(url)
	another := func(context.Context) (grpc.ClientConnInterface, func() error, error) {
		client := rpc.NewClient(url)
		return grpcparley.NewClientConn(client, opts...), client.Close, nil
	}
	c.stubs(ctx, channels[grpc.ClientConnInterface]{grpcparley.NewClientConn(client, opts...), another})
	return client.Close()
}

// throughProxy runs a case against a server of grpc-go behind the proxy.
func throughProxy(ctx context.Context, c testCase) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	backend := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(backend, server{interop.NewTestServer()})
	served := make(chan error, 1)
	go func() { served <- backend.Serve(ln) }()
	conn, err := grpc.NewClient("passthrough:///"+ln.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	err = withServer(func(srv *rpc.Server) error {
		p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Backend: conn}}})
		if err == nil {
			srv.HandleUnknown(p.Handle)
		}
		return err
	}, func(url string) error { return withStubs(ctx, url, c) })
	err = errors.Join(err, conn.Close())
	backend.Stop()
	// A case that cancels its call at once may be over before the server serves.
	if stopped := <-served; !errors.Is(stopped, grpc.ErrServerStopped) {
		err = errors.Join(err, stopped)
	}
	return err
}

// withCuts runs a case while its link is cut repeatedly.
func withCuts(ctx context.Context, c testCase) error {
	return withServer(register, func(url string) error {
		links, err := faulty.Listen(strings.TrimPrefix(url, "ws://"), 0, 0)
		if err != nil {
			return err
		}
		defer links.Close()
		s := &shears{links: links}
		lost := make(chan error, 1)
		another := func(ctx context.Context) (grpc.ClientConnInterface, func() error, error) {
			client := rpc.NewClient("ws://"+links.Addr(), rpc.OnSessionLost(func(_ *rpc.Conn, err error) {
				select {
				case lost <- err:
				default:
				}
			}))
			conn, err := greeted(ctx, client)
			closeIt := func() error {
				_, err := conn.Ping(ctx) // on a link that has not been cut
				return errors.Join(err, client.Close())
			}
			return grpcparley.NewClientConn(client, grpcparley.WithStatsHandler(s)), closeIt, err
		}
		shared, closeIt, err := another(ctx)
		if err != nil {
			return err
		}
		c.stubs(ctx, channels[grpc.ClientConnInterface]{shared, another})
		err = closeIt()
		select {
		case gap := <-lost:
			return errors.Join(err, fmt.Errorf("a session was lost: %w", gap))
		default:
		}
		if s.cuts.Load() == 0 {
			return errors.Join(err, errors.New("no link was cut"))
		}
		return err
	})
}

// greeted returns the connection of a client once the server has sent HELLO.
// From then on the session can be resumed. A cut before that, for another
// client's call, ends it.
func greeted(ctx context.Context, client *rpc.Client) (*rpc.Conn, error) {
	for {
		conn, err := client.Connect(ctx)
		if err == nil {
			_, err = conn.Ping(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
	}
}

// cutCalls is how many calls of a case lose their links. A client whose links
// are short-lived waits longer and longer before the next one.
const cutCalls = 3

// shears cut the link of each of the first calls: when it begins, when it is
// open, and when its first message of each direction has passed.
type shears struct {
	stats.Handler // its methods for connections are not called
	links         *faulty.Proxy
	cuts          atomic.Int32
	calls         atomic.Int32
}

// snips is which cuts a call has already had.
type snips struct{ sent, received atomic.Bool }

type snipsKey struct{}

func (s *shears) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	if s.calls.Add(1) > cutCalls {
		return ctx
	}
	return context.WithValue(ctx, snipsKey{}, new(snips))
}

func (s *shears) HandleRPC(ctx context.Context, event stats.RPCStats) {
	done, ok := ctx.Value(snipsKey{}).(*snips)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin, *stats.OutHeader:
	case *stats.OutPayload:
		if done.sent.Swap(true) {
			return
		}
	case *stats.InPayload:
		if done.received.Swap(true) {
			return
		}
	default:
		return
	}
	s.cuts.Add(int32(s.links.Cut()))
}

// child runs one case, "arrangement/case", in this process.
func child(ctx context.Context, which string, cases []testCase) error {
	for _, a := range arrangements {
		for _, c := range cases {
			if a.name+"/"+c.name == which {
				return a.run(ctx, c)
			}
		}
	}
	return fmt.Errorf("there is no case %q", which)
}
