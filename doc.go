// Package parley only describes the module: an RPC framework whose calls run as streams over one WebSocket, in both
// directions, with stubs generated from .proto files. Import the packages below it:
//
//   - rpc: servers, clients, the four kinds of call, status codes, metadata, interceptors
//   - rpc/health: gRPC's health service, for servers and clients
//   - transport: sessions and streams of messages over any message connection, useful without rpc
//   - transport/ws: the connection that is a WebSocket, for dialing and for upgrading an HTTP request
//   - transport/pipe: a connection within one process, for tests
//   - codegen/protoc-gen-go-parley: the plugin that turns services in .proto files into Go, under buf or protoc
//
// Packages below internal are for those only: frame, the bytes on the wire, and codegen, what the plugin does.
//
// Imports go down only. Each of these stands on those of a lower number:
//
//	5  examples
//	4  codegen, internal/codegen, and what is below rpc
//	3b gen (generated from proto)
//	3  rpc
//	2b transport/ws, transport/pipe
//	2  transport
//	1  internal/frame
//
// What needs a dependency beyond those of this module is a module of its own:
//
//   - ext/connect: Connect, gRPC and gRPC-Web over HTTP for the same services
//   - ext/grpc: stubs of gRPC on either end of a connection
//   - ext/grpc/proxy: calls that pass on to gRPC servers, as bytes
//   - ext/otel: traces and metrics by OpenTelemetry
//   - ext/cluster: several servers as one
//   - ext/cluster/natsbus: the bus of a cluster over NATS
//   - cmd/parley: the command, and the gateway
//   - examples/ping: a server with all kinds of calls, over WebSockets and HTTP
//   - tests/interop: gRPC's own interoperability tests
//   - tests/connect: Connect's conformance tests
//   - bench: parley beside its peers
//
// The protocol is specified in docs/spec/PROTOCOL.md.
package parley
