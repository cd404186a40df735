// Tests of the metrics of a cluster. Users of ext/otel need not have ext/cluster, nor the other way around.
module github.com/parley-rpc/parley/ext/otel/clustertest

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../../..
	github.com/parley-rpc/parley/ext/cluster => ../../cluster
	github.com/parley-rpc/parley/ext/otel => ..
)

require (
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/cluster v0.1.0
	github.com/parley-rpc/parley/ext/otel v0.1.0
	go.opentelemetry.io/otel v1.47.0
	go.opentelemetry.io/otel/sdk/metric v1.47.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.3 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel/log v1.47.0 // indirect
	go.opentelemetry.io/otel/metric v1.47.0 // indirect
	go.opentelemetry.io/otel/sdk v1.47.0 // indirect
	go.opentelemetry.io/otel/trace v1.47.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
