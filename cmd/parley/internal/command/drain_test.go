package command_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"

	"github.com/parley-rpc/parley/rpc"
)

// backend is a server of grpc-go.
func backend(t *testing.T) (address string, srv *grpc.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv = grpc.NewServer()
	testgrpc.RegisterTestServiceServer(srv, &tester{})
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Stop(); <-served })
	return l.Addr().String(), srv
}

// both resolves a target into the addresses that it lists.
type both struct{}

func (both) Scheme() string { return "both" }

func (both) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	var state resolver.State
	for address := range strings.SplitSeq(target.Endpoint(), ",") {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	return both{}, cc.UpdateState(state)
}

func (both) ResolveNow(resolver.ResolveNowOptions) {}
func (both) Close()                                {}

// callUntil makes one call after the other until done is closed, and a little
// more. None may fail.
func callUntil(t *testing.T, c rpc.Caller, done <-chan struct{}) {
	t.Helper()
	more := 100
	for calls := 0; more > 0; calls++ {
		select {
		case <-done:
			more--
		default:
		}
		if _, err := said(t, c, ""); err != nil {
			t.Errorf("call %d: %v", calls, err)
			return
		}
	}
}

func TestNoCallFailsWhenABackendDrains(t *testing.T) {
	resolver.Register(both{})
	first, going := backend(t)
	second, _ := backend(t)
	g := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", "both:///"+first+","+second)
	client := dial(t, g.url)
	if _, err := said(t, client, ""); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); going.GracefulStop() }()
	callUntil(t, client, done)
}

func TestNoCallFailsWhenAGatewayDrains(t *testing.T) {
	address, _ := backend(t)
	going := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", address)
	stays := serve(t, "gateway", "--listen", "127.0.0.1:0", "--backend", address)
	client := dial(t, going.url, rpc.WithURLs(stays.url))
	if _, err := said(t, client, ""); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(done)
		if exit, log := going.end(); exit != 0 {
			t.Errorf("exit code %d\n%s", exit, log)
		}
	}()
	callUntil(t, client, done)
	t.Logf("the gateway was gone after %v", time.Since(begun))
}
