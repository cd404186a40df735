package main

import (
	"context"
	"fmt"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The files that define the service, and the messages by which the runner
// starts a server. Code is generated for neither: their module has it, and does
// not export it.
const (
	serviceFile = "connectrpc/conformance/v1/service.proto"
	startFile   = "connectrpc/conformance/v1/server_compat.proto"
	packageName = "connectrpc.conformance.v1."
)

// schema is the definitions of the tests.
type schema struct {
	service protoreflect.ServiceDescriptor
	types   map[protoreflect.FullName]protoreflect.MessageDescriptor
}

// loadSchema compiles the .proto files of a folder. It registers their messages,
// which JSON needs for those within a google.protobuf.Any.
func loadSchema(ctx context.Context, folder string) (*schema, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{folder}}),
	}
	files, err := compiler.Compile(ctx, serviceFile, startFile)
	if err != nil {
		return nil, err
	}
	s := &schema{types: make(map[protoreflect.FullName]protoreflect.MessageDescriptor)}
	for _, f := range files {
		if err := s.add(f.Messages()); err != nil {
			return nil, err
		}
	}
	s.service = files[0].Services().ByName("ConformanceService")
	if s.service == nil {
		return nil, fmt.Errorf("%s has no ConformanceService", serviceFile)
	}
	return s, nil
}

// add adds messages and those that are nested in them.
func (s *schema) add(messages protoreflect.MessageDescriptors) error {
	for i := range messages.Len() {
		d := messages.Get(i)
		s.types[d.FullName()] = d
		if err := protoregistry.GlobalTypes.RegisterMessage(dynamicpb.NewMessageType(d)); err != nil {
			return err
		}
		if err := s.add(d.Messages()); err != nil {
			return err
		}
	}
	return nil
}

// newMessage returns an empty message of the package.
func (s *schema) newMessage(name protoreflect.FullName) *message {
	return &message{dynamicpb.NewMessage(s.types[packageName+name])}
}

// message is a message whose fields are named.
type message struct{ *dynamicpb.Message }

// field returns the descriptor of a field.
func (m *message) field(name protoreflect.Name) protoreflect.FieldDescriptor {
	f := m.Descriptor().Fields().ByName(name)
	if f == nil {
		panic(fmt.Sprintf("%s has no field %s", m.Descriptor().FullName(), name))
	}
	return f
}

// value returns the value of a field.
func (m *message) value(name protoreflect.Name) protoreflect.Value { return m.Get(m.field(name)) }

// has reports whether a field is set.
func (m *message) has(name protoreflect.Name) bool { return m.Has(m.field(name)) }

// set sets a field.
func (m *message) set(name protoreflect.Name, v any) { m.Set(m.field(name), protoreflect.ValueOf(v)) }

// sub returns the message in a field, or nil if it is not set.
func (m *message) sub(name protoreflect.Name) *message {
	if !m.has(name) {
		return nil
	}
	return asMessage(m.value(name))
}

// setSub sets a field to a message.
func (m *message) setSub(name protoreflect.Name, sub *message) {
	m.Set(m.field(name), protoreflect.ValueOfMessage(sub.ProtoReflect()))
}

// list returns the messages of a repeated field.
func (m *message) list(name protoreflect.Name) (all []*message) {
	values := m.value(name).List()
	for i := range values.Len() {
		all = append(all, asMessage(values.Get(i)))
	}
	return all
}

// add adds an empty message to a repeated field, and returns it.
func (m *message) add(name protoreflect.Name) *message {
	return asMessage(m.Mutable(m.field(name)).List().AppendMutable())
}

// asMessage returns a value that is a message.
func asMessage(v protoreflect.Value) *message {
	return &message{v.Message().Interface().(*dynamicpb.Message)}
}
