// The command, apart from the root module, which must not carry grpc-go.
module github.com/parley-rpc/parley/cmd/parley

go 1.26.0

replace (
	github.com/parley-rpc/parley => ../../
	github.com/parley-rpc/parley/ext/grpc => ../../ext/grpc
)

require (
	github.com/parley-rpc/parley v0.0.0
	github.com/parley-rpc/parley/ext/grpc v0.0.0-00010101000000-000000000000
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
	go.uber.org/goleak v1.3.0
	golang.org/x/term v0.47.0
	google.golang.org/grpc v1.85.0
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.42.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260825221802-da73d73af1c5 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)
