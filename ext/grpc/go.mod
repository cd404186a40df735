// What joins parley and grpc-go, apart from the root module, which must not carry grpc-go.
module github.com/parley-rpc/parley/ext/grpc

go 1.26.0

require (
	github.com/parley-rpc/parley v0.1.0
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.60.0
	golang.org/x/sync v0.23.0
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2 // indirect

tool (
	github.com/parley-rpc/parley/codegen/protoc-gen-go-parley
	google.golang.org/grpc/cmd/protoc-gen-go-grpc
	google.golang.org/protobuf/cmd/protoc-gen-go
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)
