// The benchmarks, apart from the root module, which none of the peers must reach.
module github.com/parley-rpc/parley/bench

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../
	github.com/parley-rpc/parley/ext/grpc => ../ext/grpc
)

require (
	connectrpc.com/connect/v2 v2.0.2
	github.com/containerd/log v0.1.0
	github.com/containerd/ttrpc v1.2.10
	github.com/gorilla/websocket v1.5.3
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/grpc v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	storj.io/drpc v1.0.0
)

require (
	github.com/sirupsen/logrus v1.9.4 // indirect
	github.com/zeebo/errs v1.2.2 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2 // indirect
)

tool (
	connectrpc.com/connect/v2/cmd/protoc-gen-connect-go
	github.com/containerd/ttrpc/cmd/protoc-gen-go-ttrpc
	github.com/parley-rpc/parley/codegen/protoc-gen-go-parley
	google.golang.org/grpc/cmd/protoc-gen-go-grpc
	google.golang.org/protobuf/cmd/protoc-gen-go
	storj.io/drpc/cmd/protoc-gen-go-drpc
)
