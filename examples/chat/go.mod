// The chat, apart from the root module, which does not require ext/cluster.
module github.com/parley-rpc/parley/examples/chat

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../..
	github.com/parley-rpc/parley/ext/cluster => ../../ext/cluster
)

require (
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/cluster v0.1.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
