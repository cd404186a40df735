package proxy_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

// nowhere is a backend that no call reaches.
type nowhere struct{ grpc.ClientConnInterface }

func (nowhere) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, rpc.Errorf(rpc.CodeNotFound, "%s", method)
}

func TestTheLongestPrefixDecides(t *testing.T) {
	client := front(t, proxy.Config{Routes: []proxy.Route{
		{Prefix: "acme", Backend: nowhere{}},
		{Prefix: "acme.users", Backend: nowhere{}},
		{Prefix: "acme.users.v1.UserService", Backend: nowhere{}, Name: "exact"},
	}})
	for service, want := range map[string]string{
		"acme":                         "backend acme: ",
		"acme.Orders":                  "backend acme: ",
		"acme.users.Old":               "backend acme.users: ",
		"acme.usersandmore":            "backend acme: ",
		"acme.users.v1.UserService":    "backend exact: ",
		"acme.users.v1.UserServiceTwo": "backend acme.users: ",
		"acmeother.Users":              "unknown service acmeother.Users: no backend has it",
		"other.Users":                  "unknown service other.Users: no backend has it",
	} {
		m := &rpc.Method{Service: service, Name: "Call"}
		_, err := rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, m, &testgrpc.Empty{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", service, err, want)
		}
	}
}

func TestARouteOfAllTakesWhatIsLeft(t *testing.T) {
	client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: nowhere{}}}})
	m := &rpc.Method{Service: "any.Thing", Name: "Call"}
	_, err := rpc.CallUnary[testgrpc.Empty, testgrpc.Empty](t.Context(), client, m, &testgrpc.Empty{})
	wantError(t, err, rpc.CodeUnknown, "backend default: ")
}

// TestWhatIsRegisteredIsServedHere, and the rest by the proxy. The same holds
// for a client that its server calls.
func TestWhatIsRegisteredIsServedHere(t *testing.T) {
	address, _ := listen(t, &backend{unary: answer})
	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Backend: connect(t, address)}}})
	if err != nil {
		t.Fatal(err)
	}
	mux := rpc.NewMux()
	mux.HandleUnknown(p.Handle)
	here := &rpc.Method{Service: "here.Service", Name: "Call"}
	mux.Register(&rpc.Service{Name: here.Service, Methods: []rpc.ServiceMethod{{Method: here, Handler: rpc.UnaryHandler(
		func(context.Context, *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			return &testgrpc.SimpleResponse{Payload: payload("here")}, nil
		})}}})
	connected := make(chan *rpc.Conn, 1)
	srv := rpc.NewServer(rpc.OnConnect(func(c *rpc.Conn) { connected <- c }))
	dial(t, srv, rpc.WithServices(mux))
	conn := <-connected
	res, err := rpc.CallUnary[testgrpc.SimpleRequest, testgrpc.SimpleResponse](t.Context(), conn, here, &testgrpc.SimpleRequest{})
	if err != nil || string(res.GetPayload().GetBody()) != "here" {
		t.Fatalf("%v, %v", res, err)
	}
	if got, err := call(t.Context(), conn, "there"); err != nil || got != "there" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestConfigsThatMakeNoSenseAreRefused(t *testing.T) {
	for want, cfg := range map[string]proxy.Config{
		"Routes is empty":           {},
		`"a" has no Backend`:        {Routes: []proxy.Route{{Prefix: "a"}}},
		`two routes of "a"`:         {Routes: []proxy.Route{{Prefix: "a", Backend: nowhere{}}, {Prefix: "a", Backend: nowhere{}}}},
		`"a." must be`:              {Routes: []proxy.Route{{Prefix: "a.", Backend: nowhere{}}}},
		`"/a/b" must be`:            {Routes: []proxy.Route{{Prefix: "/a/b", Backend: nowhere{}}}},
		"Config.MaxMessage is -1, ": {MaxMessage: -1, Routes: []proxy.Route{{Backend: nowhere{}}}},
	} {
		if _, err := proxy.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestCallsAreBalancedByGRPC over the servers of a name.
func TestCallsAreBalancedByGRPC(t *testing.T) {
	var served [2]atomic.Int64
	var addresses []resolver.Address
	for i := range served {
		address, _ := listen(t, &backend{unary: func(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			if len(md.Get("count")) > 0 {
				served[i].Add(1)
			}
			return answer(ctx, req)
		}})
		addresses = append(addresses, resolver.Address{Addr: address})
	}
	names := manual.NewBuilderWithScheme("names")
	names.InitialState(resolver.State{Addresses: addresses})
	conn := connect(t, "names:///backends", grpc.WithResolvers(names),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	client := front(t, proxy.Config{Routes: []proxy.Route{{Backend: conn}}})
	for served[0].Load() == 0 || served[1].Load() == 0 { // until both are connected
		if _, err := call(t.Context(), client, "", rpc.WithMetadata("count", "1")); err != nil {
			t.Fatal(err)
		}
	}
	before := [2]int64{served[0].Load(), served[1].Load()}
	for range 10 {
		if _, err := call(t.Context(), client, "", rpc.WithMetadata("count", "1")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range served {
		if n := served[i].Load() - before[i]; n != 5 {
			t.Errorf("server %d has served %d of 10 calls", i, n)
		}
	}
}
