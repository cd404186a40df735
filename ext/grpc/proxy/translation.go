package proxy

import (
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/parley-rpc/parley/rpc"
)

// translation is the caller's end of a call in JSON whose backend gets
// protobuf. Its messages are *rpc.Raw.
type translation struct {
	rpc.Stream
	method protoreflect.MethodDescriptor
	types  *dynamicpb.Types // for messages within a google.protobuf.Any
	json   rpc.Raw          // the latest request
}

// translateJSON returns the stream of a call in JSON with messages in protobuf.
func translateJSON(s rpc.Stream, method protoreflect.MethodDescriptor) *translation {
	var files protoregistry.Files
	registerAll(&files, method.ParentFile())
	return &translation{Stream: s, method: method, types: dynamicpb.NewTypes(&files)}
}

// registerAll registers a file and what it imports.
func registerAll(files *protoregistry.Files, f protoreflect.FileDescriptor) {
	if _, err := files.FindFileByPath(f.Path()); err == nil || f.IsPlaceholder() {
		return
	}
	_ = files.RegisterFile(f) // an error means that another file has the same names: those are found
	imports := f.Imports()
	for i := range imports.Len() {
		registerAll(files, imports.Get(i).FileDescriptor)
	}
}

// Recv implements rpc.Stream. Unknown fields are ignored, as by the codec of
// package rpc.
func (t *translation) Recv(msg any) error {
	if err := t.Stream.Recv(&t.json); err != nil {
		return err
	}
	m := dynamicpb.NewMessage(t.method.Input())
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true, Resolver: t.types}).Unmarshal(t.json, m); err != nil {
		return rpc.Errorf(rpc.CodeInvalidArgument, "decode %s as json: %.1000w", t.method.Input().FullName(), err)
	}
	return t.encode(msg, proto.MarshalOptions{}.MarshalAppend, m)
}

// Send implements rpc.Stream.
func (t *translation) Send(msg any) error {
	raw, err := rawOf(msg)
	if err != nil {
		return err
	}
	m := dynamicpb.NewMessage(t.method.Output())
	if err := (proto.UnmarshalOptions{Resolver: t.types}).Unmarshal(*raw, m); err != nil {
		return rpc.Errorf(rpc.CodeInternal, "decode %s of the backend: %.1000w", t.method.Output().FullName(), err)
	}
	var translated rpc.Raw
	if err := t.encode(&translated, protojson.MarshalOptions{Resolver: t.types}.MarshalAppend, m); err != nil {
		return err
	}
	return t.Stream.Send(&translated)
}

// encode encodes m into msg.
func (t *translation) encode(msg any, how func([]byte, proto.Message) ([]byte, error), m proto.Message) error {
	raw, err := rawOf(msg)
	if err != nil {
		return err
	}
	data, err := how((*raw)[:0], m)
	if err != nil {
		return rpc.Errorf(rpc.CodeInternal, "encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	*raw = data
	return nil
}

func rawOf(msg any) (*rpc.Raw, error) {
	raw, ok := msg.(*rpc.Raw)
	if !ok {
		return nil, rpc.Errorf(rpc.CodeInternal, "%T is not a *rpc.Raw", msg)
	}
	return raw, nil
}
