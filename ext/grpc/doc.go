// Package grpcparley connects grpc-go and parley: stubs of protoc-gen-go-grpc
// run unchanged over a WebSocket, in both directions.
//
// [NewClientConn] turns a client or connection of package rpc into the
// connection that grpc's client stubs need. [NewRegistrar] turns a server of
// package rpc into the registrar that grpc's services need. Method names,
// bytes, metadata and statuses are the same on both sides, so a stub of either
// kind can call a service of either kind.
package grpcparley
