// Package codegen generates Go code for the services of .proto files: a client,
// a server interface and the descriptions of the methods, thin layers over
// package rpc. The plugin protoc-gen-go-parley runs [Generate] between standard
// input and output; docs/codegen.md says how to use it.
//
// Each file with services yields one Go file, in a package of its own, one
// folder below the package of the messages. So stubs of other frameworks can be
// generated from the same .proto:
//
//	gen/parley/ping/v1/ping.pb.go                       package pingv1
//	gen/parley/ping/v1/pingv1parley/ping.parley.go      package pingv1parley
//
// # Names
//
// A service S with a method M yields SName, SMMethod, SClient, NewSClient,
// SServer, RegisterSServer and UnimplementedSServer. Names are spelled as in
// protoc-gen-go. If two names would be the same, one of them changes. Which one
// does not depend on the order in the .proto, so that a new declaration renames
// no other:
//
//   - Of two methods with the same Go name, the one that is spelled so in the
//     .proto keeps it; the other keeps its underscores: GetFoo and Get_foo.
//   - Of two services that would declare the same identifier (Foo and NewFoo
//     both want NewFooClient), the one with the shorter name keeps it; the
//     other gets an underscore: NewFoo_Client.
//   - Of two methods whose descriptions would have the same name (Foo.BarBaz
//     and FooBar.Baz), the one of the shorter service keeps it; the other is
//     FooBar_BazMethod.
//
// Only files of the same request are compared: two files of one Go package
// should be generated together.
//
// # Versions
//
// Generated code and package rpc check at compile time that they fit together;
// see docs/codegen.md.
package codegen
