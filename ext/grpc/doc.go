// Package grpcparley joins grpc-go and parley: stubs made by protoc-gen-go-grpc run
// over a WebSocket, as they are, in both directions.
//
// [NewClientConn] makes of a client or connection of package rpc what grpc's client
// stubs call on. [NewRegistrar] makes of a server of package rpc what grpc's services
// are registered with. Method names, bytes, metadata and statuses are the same on
// either side, so a stub of either kind reaches a service of either kind.
package grpcparley
