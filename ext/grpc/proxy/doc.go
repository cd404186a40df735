// Package proxy forwards calls of services that are not registered here to gRPC
// servers, as bytes: it needs neither descriptors nor generated code. So a browser, or
// any program with a WebSocket, reaches services in any language with all four kinds
// of call.
//
//	users, err := grpc.NewClient("dns:///users:50051", grpc.WithTransportCredentials(creds))
//	...
//	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Prefix: "acme.users", Backend: users}}})
//	...
//	srv := rpc.NewServer()
//	srv.HandleUnknown(p.Handle)
//
// Services that are registered with the server are served by it; interceptors see the
// calls of both.
//
// # What passes
//
// Messages pass one by one, each way, and so do the end of what the caller sends, the
// header, the trailer, and the status with its details. The caller's deadline and
// cancellation reach the backend.
//
// Metadata passes but for the keys that belong to one of the protocols, such as
// content-type, grpc-timeout and host, and those by which proxies say who calls, such as
// x-forwarded-for: a caller could write them. Headers of the handshake pass if
// HeaderRules names them, and calls cannot have them then. Of a backend's answer
// set-cookie does not pass: a script could read it. What came by HTTP and is no metadata,
// such as a header of a proxy before the backend whose value is not ASCII, is left out,
// each way: keys have a to z, 0 to 9, "-", "_" and ".", values are printable ASCII, without spaces
// around them, and those of keys that end in "-bin" any bytes.
//
// Neither side is read faster than the other accepts: a slow caller slows down only
// its own stream at the backend. What waits here meanwhile is bounded by the
// windows of both protocols. Those of grpc-go grow with the bandwidth, up to 16 MiB for each
// stream, unless the connection has static ones (grpc.WithStaticStreamWindowSize): with
// callers that are not trusted it should.
//
// # Codecs and compression
//
// The codec's name is gRPC's content subtype. A call in "json" reaches the backend as
// application/grpc+json, and fails if the backend does not know that, as most do not.
// What the caller has compressed is inflated; whether messages are compressed between
// here and the backend is up to the connection (grpc.WithDefaultCallOptions and
// grpc.UseCompressor). Answers may come in gzip.
//
// # Backends
//
// A backend is a grpc.ClientConn, or what has its methods. Its name is resolved and its
// servers are balanced by grpc-go, as its target and service config say. For xds targets
// the program imports google.golang.org/grpc/xds.
package proxy
