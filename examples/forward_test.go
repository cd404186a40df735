package examples_test

import (
	"context"
	"fmt"

	"github.com/parley-rpc/parley/examples/pinger"
	pingv1 "github.com/parley-rpc/parley/gen/parley/ping/v1"
	"github.com/parley-rpc/parley/gen/parley/ping/v1/pingv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// Example_forward is a proxy of two servers.
func Example_forward() {
	servers := make(map[string]rpc.Caller)
	for _, name := range []string{"eu", "us"} {
		srv := rpc.NewServer()
		pingv1parley.RegisterPingServiceServer(srv, pinger.Service{})
		url, stop := start(srv)
		defer stop()
		backend := rpc.NewClient(url)
		defer backend.Close()
		servers[name] = backend
	}
	proxy := rpc.NewServer()
	//snippet:forward
	router := rpc.Router(func(ctx context.Context, _ *rpc.Method) (rpc.Caller, []rpc.CallOption, error) {
		region := rpc.FromContext(ctx).HeaderValue("region")
		if servers[region] == nil {
			return nil, nil, rpc.Errorf(rpc.CodeNotFound, "no server in region %q", region)
		}
		return servers[region], nil, nil
	})
	proxy.HandleUnknown(func(ctx context.Context, s rpc.Stream) error {
		return rpc.Forward(ctx, s, router, rpc.WithoutMetadata("region"))
	})
	//snippet:end
	url, stop := start(proxy)
	defer stop()
	client := rpc.NewClient(url)
	defer client.Close()
	ping := pingv1parley.NewPingServiceClient(client)
	for _, region := range []string{"eu", "mars"} {
		res, err := ping.Ping(context.Background(), &pingv1.PingRequest{Text: region}, rpc.WithMetadata("region", region))
		fmt.Printf("%q %v\n", res.GetText(), err)
	}
	// Output:
	// "eu" <nil>
	// "" NOT_FOUND: no server in region "mars"
}
