// Tests that calls are observed across the two worlds: by otelgrpc at an end with stubs of grpc-go, by otelparley at one
// without. The modules that are tested need not know of each other.
module github.com/parley-rpc/parley/ext/otel/grpctest

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../../..
	github.com/parley-rpc/parley/ext/grpc => ../../grpc
	github.com/parley-rpc/parley/ext/otel => ..
)

require (
	github.com/parley-rpc/parley v0.1.0
	github.com/parley-rpc/parley/ext/grpc v0.1.0
	github.com/parley-rpc/parley/ext/otel v0.1.0
	go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.72.0
	go.opentelemetry.io/otel v1.47.0
	go.opentelemetry.io/otel/sdk v1.47.0
	go.opentelemetry.io/otel/trace v1.47.0
	go.uber.org/goleak v1.3.0
	google.golang.org/grpc v1.85.0
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
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260928230214-8a89bd6388cc // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
