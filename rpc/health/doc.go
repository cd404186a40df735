// Package health implements gRPC's health protocol, grpc.health.v1, without
// grpc-go, for servers and clients. Probes and clients of gRPC understand it.
//
//	status := health.NewServer()
//	srv.Register(status.Service())
//	http.Handle("/healthz", status) // for a load balancer that asks by HTTP
//
//	status.Set("acme.users.v1.UserService", health.NotServing) // whenever that changes
//
// # Shutting down
//
// A server that shuts down announces it first, and then drains its connections:
//
//	status.Shutdown()
//	err := srv.Shutdown(ctx)
//
// After the first line, probes and watchers get NOT_SERVING. A load balancer
// needs some time between the two lines to notice it before connections end.
// After the second line, calls of Watch do not delay rpc.Server.Shutdown: they
// end with CodeUnavailable after the latest status, as soon as their connection
// drains. The same happens on a connection that has reached its maximum age
// (rpc.WithMaxConnectionAge).
package health
