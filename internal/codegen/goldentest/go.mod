// The tests that run the real plugin. A module of its own, because compiling .proto files takes dependencies that the
// root must not carry.
module github.com/parley-rpc/parley/internal/codegen/goldentest

go 1.26.0

tool (
	github.com/parley-rpc/parley/codegen/protoc-gen-go-parley
	github.com/parley-rpc/parley/tools/stubgen
	google.golang.org/protobuf/cmd/protoc-gen-go
)

replace (
	github.com/parley-rpc/parley => ../../..
	github.com/parley-rpc/parley/tools/stubgen => ../../../tools/stubgen
)

require google.golang.org/protobuf v1.36.12

require (
	github.com/bufbuild/protocompile v0.14.1 // indirect
	github.com/parley-rpc/parley v0.1.0 // indirect
	github.com/parley-rpc/parley/tools/stubgen v0.0.0-00010101000000-000000000000 // indirect
	golang.org/x/sync v0.23.0 // indirect
)
