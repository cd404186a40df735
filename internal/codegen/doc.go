// Package codegen turns the services of .proto files into Go: a client, a
// server interface and the descriptions of the methods, all of them thin
// layers over package rpc. The plugin protoc-gen-go-parley is [Generate]
// between standard input and output; docs/codegen.md says how to run it.
//
// A file with services becomes one Go file. It goes into a package of its own,
// a folder below the package of the messages, so that the stubs of other
// frameworks can be generated from the same .proto and live beside it:
//
//	gen/parley/ping/v1/ping.pb.go                       package pingv1
//	gen/parley/ping/v1/pingv1parley/ping.parley.go      package pingv1parley
//
// # Names
//
// A service S with a method M yields SName, SMMethod, SClient, NewSClient,
// SServer, RegisterSServer and UnimplementedSServer. Names are spelled as
// protoc-gen-go spells them. Where two names would be the same, the one that
// gives way does not depend on the order in the .proto, so that adding a
// declaration renames no other:
//
//   - Of two methods with the same Go name, the one that is written so in the
//     .proto keeps it; the other keeps its underscores: GetFoo and Get_foo.
//   - Of two services that would declare the same identifier (Foo and NewFoo
//     both want NewFooClient), the one with the shorter name keeps it; the
//     other gets an underscore: NewFoo_Client.
//   - Of two methods that would be described by the same variable (Foo.BarBaz
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
