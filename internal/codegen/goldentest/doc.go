// Package goldentest holds the tests that run protoc-gen-go-parley on the
// .proto files of internal/codegen/testdata/proto and compare what it writes with
// internal/codegen/testdata/gen. After a change of the generator,
//
//	go test -C internal/codegen/goldentest . -update
//
// writes the new state, and the diff shows what the change does to users.
// That the goldens compile and can be called is tested in package codegen.
package goldentest
