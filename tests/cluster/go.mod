// Faults of a cluster of servers. A module of its own: the core knows no cluster, and users of natsbus get no NATS server.
module github.com/parley-rpc/parley/tests/cluster

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../..
	github.com/parley-rpc/parley/ext/cluster => ../../ext/cluster
	github.com/parley-rpc/parley/ext/cluster/natsbus => ../../ext/cluster/natsbus
)

require (
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/cluster v0.1.0
	github.com/parley-rpc/parley/ext/cluster/natsbus v0.1.0
	go.uber.org/goleak v1.3.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)
