// Messages of vtprotobuf through the proto codec. A module of its own: the root knows only their methods' names.
module github.com/parley-rpc/parley/tests/vtproto

go 1.26.0

tool (
	github.com/parley-rpc/parley/codegen/protoc-gen-go-parley
	github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto
	google.golang.org/protobuf/cmd/protoc-gen-go
)

replace github.com/parley-rpc/parley => ../..

require (
	github.com/parley-rpc/parley v0.1.0
	github.com/planetscale/vtprotobuf v0.6.1-0.20240319094008-0393e58bdf10
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require github.com/gorilla/websocket v1.5.3 // indirect
