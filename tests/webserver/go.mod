// The server for the tests of the TypeScript client, apart from the root module, which does not require ext/connect.
module github.com/parley-rpc/parley/tests/webserver

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../..
	github.com/parley-rpc/parley/ext/connect => ../../ext/connect
)

require (
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/connect v0.1.0
	go.uber.org/goleak v1.3.0
)

require (
	connectrpc.com/connect/v2 v2.0.2 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261110000943-09e21b237f2c // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
