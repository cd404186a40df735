package proxy_test

import (
	"log"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/parley-rpc/parley/ext/grpc/proxy"
	"github.com/parley-rpc/parley/rpc"
)

// A server of WebSockets in front of two gRPC servers.
func Example() {
	users, err := grpc.NewClient("dns:///users.internal:50051",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	if err != nil {
		log.Fatal(err)
	}
	rest, err := grpc.NewClient("dns:///backend.internal:50051", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}

	//snippet:proxy
	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{
		{Prefix: "acme.users", Backend: users},
		{Backend: rest}, // everything else
	}})
	if err != nil {
		log.Fatal(err)
	}
	srv := rpc.NewServer()
	srv.HandleUnknown(p.Handle)
	http.Handle("/rpc", srv)
	//snippet:end
}
