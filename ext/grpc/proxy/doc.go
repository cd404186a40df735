// Package proxy forwards calls of methods that are not registered to gRPC
// servers, as bytes: it needs neither descriptors nor generated code. So a
// browser, or any other WebSocket client, reaches services in any language with
// all four kinds of calls.
//
//	users, err := grpc.NewClient("dns:///users:50051", grpc.WithTransportCredentials(creds))
//	...
//	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Prefix: "acme.users", Backend: users}}})
//	...
//	srv := rpc.NewServer()
//	srv.HandleUnknown(p.Handle)
//
// The server itself serves the services that are registered with it.
// Interceptors see both kinds of calls.
//
// # What passes
//
// Messages pass one by one in each direction, and so do the end of the
// requests, the header, the trailer, and the status with its details. The
// caller's deadline and cancellation reach the backend.
//
// Metadata passes, except keys that belong to one of the protocols, such as
// content-type, grpc-timeout and host, and keys by which proxies identify
// callers, such as x-forwarded-for: a caller could forge them. Headers of the
// handshake pass if HeaderRules names them; then calls cannot set them. A
// backend's set-cookie does not pass: a script could read it. HTTP headers that
// are not valid metadata are left out in each direction. Keys consist of a to
// z, 0 to 9, "-", "_" and ".". Values are printable ASCII without surrounding
// spaces, or any bytes if the key ends in "-bin".
//
// Neither side is read faster than the other receives: a slow caller slows down
// only its own stream at the backend. The windows of both protocols bound what
// is buffered here. Those of grpc-go grow with the bandwidth, up to 16 MiB per
// stream, unless the connection has static ones
// (grpc.WithStaticStreamWindowSize), which it should have if callers are not
// trusted.
//
// # Codecs and compression
//
// The codec's name is gRPC's content subtype. A call in "json" reaches the
// backend as application/grpc+json, and fails if the backend does not support
// it, as most do not. With Config.Describe such calls are translated to
// protobuf. Messages that the caller has compressed are inflated. The
// connection decides whether messages to the backend are compressed
// (grpc.WithDefaultCallOptions and grpc.UseCompressor). Responses may be
// compressed with gzip.
//
// # Backends
//
// A backend is a grpc.ClientConn, or a type with its methods. grpc-go resolves
// its name and balances its servers according to its target and service config.
// For xds targets the program imports google.golang.org/grpc/xds.
package proxy
