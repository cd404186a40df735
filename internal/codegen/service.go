package codegen

import (
	"strconv"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
)

// service writes the declarations of one service.
func (f *file) service(s *protogen.Service, names *serviceNames) {
	for _, detached := range s.Comments.LeadingDetached {
		f.standalone(detached)
	}
	f.serviceName(s, names)
	f.descriptors(s, names)
	f.clientInterface(s, names)
	f.clientConstructor(s, names)
	f.clientMethods(s, names)
	f.serverInterface(s, names)
	f.register(s, names)
	f.unimplemented(s, names)
}

func (f *file) serviceName(s *protogen.Service, names *serviceNames) {
	var doc comment
	doc.sayf("%s is the full name of the service %s.", names.name, s.Desc.Name())
	doc.deprecate(f.serviceDeprecation(s))
	f.P(doc.String())
	f.P("const ", names.name, " = ", strconv.Quote(string(s.Desc.FullName())))
	f.P()
}

// descriptors writes the *rpc.Method of each method.
func (f *file) descriptors(s *protogen.Service, names *serviceNames) {
	if len(s.Methods) == 0 {
		return
	}
	var doc comment
	doc.sayf("The methods of %s, as interceptors see them.", s.Desc.Name())
	f.P(doc.String())
	f.P("var (")
	for i, m := range s.Methods {
		n := names.methods[i]
		var doc comment
		doc.sayf("%s describes %s.", n.descriptor, wirePath(m))
		doc.deprecate(f.methodDeprecation(m))
		f.P(doc.String())
		f.P(n.descriptor, " = &rpc.Method{")
		f.P("Service: ", names.name, ",")
		f.P("Name: ", strconv.Quote(string(m.Desc.Name())), ",")
		if m.Desc.IsStreamingClient() {
			f.P("ClientStreams: true,")
		}
		if m.Desc.IsStreamingServer() {
			f.P("ServerStreams: true,")
		}
		switch m.Desc.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel() {
		case descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
			f.P("Idempotency: rpc.NoSideEffects,")
		case descriptorpb.MethodOptions_IDEMPOTENT:
			f.P("Idempotency: rpc.Idempotent,")
		}
		f.P("}")
	}
	f.P(")")
	f.P()
}

// input and output return the Go types of a method's messages.
func (f *file) input(m *protogen.Method) string  { return f.imports.ident(m.Input.GoIdent) }
func (f *file) output(m *protogen.Method) string { return f.imports.ident(m.Output.GoIdent) }

// kind is one of the four kinds of call.
type kind int

const (
	unary kind = iota
	clientStream
	serverStream
	bidi
)

func kindOf(m *protogen.Method) kind {
	switch in, out := m.Desc.IsStreamingClient(), m.Desc.IsStreamingServer(); {
	case in && out:
		return bidi
	case in:
		return clientStream
	case out:
		return serverStream
	default:
		return unary
	}
}

// methodDoc starts the comment of a method in an interface: the comment of the
// .proto or, if there is none, sentence.
func methodDoc(m *protogen.Method, goName, sentence string) *comment {
	doc := new(comment)
	doc.carry(m.Comments.Leading)
	doc.carry(m.Comments.Trailing)
	if doc.empty() {
		doc.sayf("%s", sentence)
	}
	if goName != m.GoName {
		doc.sayf("%s is what the .proto calls %s; the Go name %s belongs to another method.", goName, m.Desc.Name(), m.GoName)
	}
	return doc
}
