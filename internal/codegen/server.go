package codegen

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/compiler/protogen"
)

func (f *file) serverInterface(s *protogen.Service, names *serviceNames) {
	var doc comment
	doc.sayf("%s is implemented by servers of %s. %s registers one.", names.server, s.Desc.FullName(), names.register)
	doc.carry(s.Comments.Leading)
	doc.carry(s.Comments.Trailing)
	if len(s.Methods) > 0 {
		doc.sayf("Methods are called concurrently. A method's ctx ends when the caller cancels the call, when the deadline passes, " +
			"or when the connection ends. rpc.FromContext returns the call, with its metadata and its connection. " +
			"The call ends when the method returns. An error of rpc.Errorf reaches the caller with its code and details. " +
			"Any other error arrives as rpc.CodeUnknown.")
	}
	doc.deprecate(f.serviceDeprecation(s))
	f.AnnotateSymbol(names.server, protogen.Annotation{Location: s.Location})
	f.P(doc.String())
	if len(s.Methods) == 0 {
		f.P("type ", names.server, " interface{}")
		f.P()
		return
	}
	f.P("type ", names.server, " interface {")
	for i, m := range s.Methods {
		n := names.methods[i]
		if i > 0 {
			f.P()
		}
		for _, detached := range m.Comments.LeadingDetached {
			f.standalone(detached)
		}
		doc := methodDoc(m, n.method, fmt.Sprintf("%s handles %s.", n.method, wirePath(m)))
		doc.deprecate(f.methodDeprecation(m))
		f.AnnotateSymbol(names.server+"."+n.method, protogen.Annotation{Location: m.Location})
		f.P(doc.String())
		f.P(f.serverSignature(m, n))
	}
	f.P("}")
	f.P()
}

func (f *file) register(s *protogen.Service, names *serviceNames) {
	var doc comment
	doc.sayf("%s registers impl as %s with r: an *rpc.Server, or an *rpc.Mux for calls to a client.", names.register, s.Desc.FullName())
	doc.deprecate(f.serviceDeprecation(s))
	f.P(doc.String())
	f.P("func ", names.register, "(r rpc.Registrar, impl ", names.server, ") {")
	f.P("r.Register(&rpc.Service{")
	f.P("Name: ", names.name, ",")
	if len(s.Methods) > 0 {
		f.P("Methods: []rpc.ServiceMethod{")
		for i, m := range s.Methods {
			n := names.methods[i]
			f.P("{Method: ", n.descriptor, ", Handler: rpc.", handlers[kindOf(m)], "(impl.", n.method, ")},")
		}
		f.P("},")
	}
	f.P("})")
	f.P("}")
	f.P()
}

var handlers = map[kind]string{
	unary:        "UnaryHandler",
	clientStream: "ClientStreamHandler",
	serverStream: "ServerStreamHandler",
	bidi:         "BidiHandler",
}

func (f *file) unimplemented(s *protogen.Service, names *serviceNames) {
	var doc comment
	doc.sayf("%s fails every call with rpc.CodeUnimplemented. "+
		"A server that embeds it still compiles when methods are added to the .proto. "+
		"Embed it by value: a nil pointer would panic when it is called.", names.unimplemented)
	doc.deprecate(f.serviceDeprecation(s))
	f.P(doc.String())
	f.P("type ", names.unimplemented, " struct{}")
	f.P()
	for i, m := range s.Methods {
		result := "nil, "
		if m.Desc.IsStreamingServer() {
			result = ""
		}
		f.P("func (", names.unimplemented, ") ", f.serverSignature(m, names.methods[i]), " {")
		f.P("return ", result, "rpc.Errorf(rpc.CodeUnimplemented, ", strconv.Quote(wirePath(m)+" is not implemented"), ")")
		f.P("}")
		f.P()
	}
}

func (f *file) serverSignature(m *protogen.Method, n methodNames) string {
	in, out := f.input(m), f.output(m)
	switch kindOf(m) {
	case serverStream:
		return fmt.Sprintf("%s(ctx context.Context, req *%s, out rpc.Sender[%s]) error", n.method, in, out)
	case clientStream:
		return fmt.Sprintf("%s(ctx context.Context, in rpc.Receiver[%s]) (*%s, error)", n.method, in, out)
	case bidi:
		return fmt.Sprintf("%s(ctx context.Context, in rpc.Receiver[%s], out rpc.Sender[%s]) error", n.method, in, out)
	default:
		return fmt.Sprintf("%s(ctx context.Context, req *%s) (*%s, error)", n.method, in, out)
	}
}
