// Package reflection lets clients ask a server for its services: gRPC's
// reflection, grpc.reflection.v1, without grpc-go. The command parley,
// grpcurl's library and other tools use it to find services, methods and
// messages without .proto files.
//
//	srv := rpc.NewServer()
//	pingv1parley.RegisterPingServiceServer(srv, pinger{})
//	reflection.Register(srv)
//
// It returns the names of all registered services, including those registered
// later, and the definitions of everything that is linked into the program.
// Anyone who may connect can read them. A question of more than 4 KiB ends its
// stream with INVALID_ARGUMENT.
package reflection
