// Package reflection has a server tell what it serves: gRPC's reflection,
// grpc.reflection.v1, without grpc-go. The command parley, grpcurl's library and other
// tools find services, methods and messages by it, and need no .proto files.
//
//	srv := rpc.NewServer()
//	pingv1parley.RegisterPingServiceServer(srv, pinger{})
//	reflection.Register(srv)
//
// It tells the names of all services that are registered, sooner or later, and the
// definitions of everything that is linked into the program: anybody who may connect can
// read them. A question of more than 4 KiB ends its stream with INVALID_ARGUMENT.
package reflection
