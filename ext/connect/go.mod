// Connect, gRPC and gRPC-Web for parley, apart from the root module, which must not carry connectrpc.
module github.com/parley-rpc/parley/ext/connect

go 1.26.0

require (
	connectrpc.com/connect/v2 v2.0.2
	github.com/parley-rpc/parley v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require github.com/gorilla/websocket v1.5.3 // indirect
