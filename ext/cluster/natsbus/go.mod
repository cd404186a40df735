// The bus of a cluster over NATS, apart from ext/cluster, whose users may have another bus or none.
module github.com/parley-rpc/parley/ext/cluster/natsbus

go 1.26.0

require (
	github.com/nats-io/nats.go v1.55.0
	github.com/parley-rpc/parley/ext/cluster v0.1.0
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/klauspost/compress v1.20.0 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	github.com/parley-rpc/parley v0.1.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
