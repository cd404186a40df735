// The benchmarks, apart from the root module, which none of the peers must reach.
module github.com/parley-rpc/parley/bench

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../
	github.com/parley-rpc/parley/ext/cluster => ../ext/cluster
	github.com/parley-rpc/parley/ext/cluster/natsbus => ../ext/cluster/natsbus
	github.com/parley-rpc/parley/ext/grpc => ../ext/grpc
)

require (
	connectrpc.com/connect/v2 v2.0.2
	github.com/containerd/log v0.1.0
	github.com/containerd/ttrpc v1.2.10
	github.com/gorilla/websocket v1.5.3
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/cluster v0.1.0
	github.com/parley-rpc/parley/ext/cluster/natsbus v0.1.0
	github.com/parley-rpc/parley/ext/grpc v0.1.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sync v0.24.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	storj.io/drpc v1.0.0
)

require (
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/sirupsen/logrus v1.9.4 // indirect
	github.com/zeebo/errs v1.2.2 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/time v0.16.0 // indirect
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
