// Connect's own conformance tests over parley. A module of its own, because their runner has dependencies of its own.
module github.com/parley-rpc/parley/tests/connect

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../../
	github.com/parley-rpc/parley/ext/connect => ../../ext/connect
)

require (
	github.com/bufbuild/protocompile v0.14.1
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/connect v0.1.0
	google.golang.org/protobuf v1.36.12
)

require (
	connectrpc.com/connect/v2 v2.0.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/sync v0.23.0 // indirect
)
