// Package health tells and asks if services are fit to be called: gRPC's health
// protocol, grpc.health.v1, without grpc-go. Probes and clients of gRPC understand it.
//
//	status := health.NewServer()
//	srv.Register(status.Service())
//	http.Handle("/healthz", status) // for a load balancer that asks by HTTP
//
//	status.Set("acme.users.v1.UserService", health.NotServing) // whenever that changes
//
// # Shutting down
//
// A server that goes away says so first, and takes leave of its clients then:
//
//	status.Shutdown()
//	err := srv.Shutdown(ctx)
//
// From the first line on probes are answered NOT_SERVING, and watchers are told. A
// load balancer that is to notice before connections go away needs some time between
// the two lines. The second one ends what watchers are told: calls of Watch do not
// hold up rpc.Server.Shutdown, but end with CodeUnavailable as soon as their
// connection drains, after the latest status. So they do on a connection that has
// come of age (rpc.WithMaxConnectionAge).
package health
