package health

import "github.com/parley-rpc/parley/rpc"

// ServiceName is the name of the health service on the wire.
const ServiceName = "grpc.health.v1.Health"

var (
	checkMethod = &rpc.Method{Service: ServiceName, Name: "Check", Idempotency: rpc.NoSideEffects}
	listMethod  = &rpc.Method{Service: ServiceName, Name: "List", Idempotency: rpc.NoSideEffects}
	watchMethod = &rpc.Method{Service: ServiceName, Name: "Watch", ServerStreams: true, Idempotency: rpc.NoSideEffects}
)
