// Several servers as one, apart from the root module, whose users need none of this.
module github.com/parley-rpc/parley/ext/cluster

go 1.26.0

require (
	github.com/parley-rpc/parley v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require github.com/gorilla/websocket v1.5.3 // indirect
