package codegen

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
)

func (f *file) clientInterface(s *protogen.Service, names *serviceNames) {
	var doc comment
	doc.sayf("%s is a client of %s. %s returns one.", names.client, s.Desc.FullName(), names.newClient)
	doc.carry(s.Comments.Leading)
	doc.carry(s.Comments.Trailing)
	if len(s.Methods) > 0 {
		doc.sayf("A method's ctx bounds its call, including the end of its streams, but never the connection. " +
			"Its deadline is sent to the server, and canceling it cancels the call. Options apply to one call. " +
			"Errors carry a status: rpc.CodeOf returns its code, and errors.As with an *rpc.Error returns all of it.")
	}
	doc.deprecate(f.serviceDeprecation(s))
	f.AnnotateSymbol(names.client, protogen.Annotation{Location: s.Location})
	f.P(doc.String())
	if len(s.Methods) == 0 {
		f.P("type ", names.client, " interface{}")
		f.P()
		return
	}
	f.P("type ", names.client, " interface {")
	for i, m := range s.Methods {
		n := names.methods[i]
		if i > 0 {
			f.P()
		}
		for _, detached := range m.Comments.LeadingDetached {
			f.standalone(detached)
		}
		doc := methodDoc(m, n.method, fmt.Sprintf("%s calls %s.", n.method, wirePath(m)))
		switch kindOf(m) {
		case serverStream:
			doc.sayf("The call lasts until the Receiver is read to its end or closed.")
		case clientStream:
			doc.sayf("The call lasts until CloseAndRecv or Close of the Upload.")
		case bidi:
			doc.sayf("The call lasts until the Duplex is read to its end or closed.")
		}
		doc.deprecate(f.methodDeprecation(m))
		f.AnnotateSymbol(names.client+"."+n.method, protogen.Annotation{Location: m.Location})
		f.P(doc.String())
		f.P(f.clientSignature(m, n))
	}
	f.P("}")
	f.P()
}

func (f *file) clientConstructor(s *protogen.Service, names *serviceNames) {
	var doc comment
	doc.sayf("%s returns a client whose calls go through c: an *rpc.Client, or an *rpc.Conn to call the peer of one connection.", names.newClient)
	doc.deprecate(f.serviceDeprecation(s))
	f.P(doc.String())
	f.P("func ", names.newClient, "(c rpc.Caller) ", names.client, " {")
	f.P("return ", names.clientImpl, "{caller: c}")
	f.P("}")
	f.P()
	f.P("type ", names.clientImpl, " struct {")
	f.P("caller rpc.Caller")
	f.P("}")
	f.P()
}

func (f *file) clientMethods(s *protogen.Service, names *serviceNames) {
	for i, m := range s.Methods {
		n := names.methods[i]
		call, args := "", ""
		switch kindOf(m) {
		case unary:
			call, args = "CallUnary", "req, "
		case serverStream:
			call, args = "CallServerStream", "req, "
		case clientStream:
			call = "CallClientStream"
		case bidi:
			call = "CallBidi"
		}
		f.P("func (c ", names.clientImpl, ") ", f.clientSignature(m, n), " {")
		f.P("return rpc.", call, "[", f.input(m), ", ", f.output(m), "](ctx, c.caller, ", n.descriptor, ", ", args, "opts...)")
		f.P("}")
		f.P()
	}
}

func (f *file) clientSignature(m *protogen.Method, n methodNames) string {
	in, out := f.input(m), f.output(m)
	const format = "%s(ctx context.Context, %sopts ...rpc.CallOption) (%s, error)"
	switch kindOf(m) {
	case serverStream:
		return fmt.Sprintf(format, n.method, "req *"+in+", ", "rpc.Receiver["+out+"]")
	case clientStream:
		return fmt.Sprintf(format, n.method, "", "rpc.Upload["+in+", "+out+"]")
	case bidi:
		return fmt.Sprintf(format, n.method, "", "rpc.Duplex["+in+", "+out+"]")
	default:
		return fmt.Sprintf(format, n.method, "req *"+in+", ", "*"+out)
	}
}
