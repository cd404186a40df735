package grpcparley

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // which registers the codec that is used by default
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/rpc"
)

// Messages are encoded and decoded here, by grpc's codecs, and pass package rpc
// as bytes: stubs of grpc may have messages other than protobuf messages, and
// codecs that package rpc does not know.

// codecOf returns the codec of a content subtype from grpc's registry, or the
// one of package rpc with that name, or nil.
func codecOf(name string) encoding.CodecV2 {
	if c := encoding.GetCodec(name); c != nil {
		return codecV1{c}
	}
	if c := encoding.GetCodecV2(name); c != nil {
		return c
	}
	if name == rpc.CodecJSON {
		return jsonCodec{}
	}
	return nil
}

// codecV1 is a codec of the older interface.
type codecV1 struct{ encoding.Codec }

func (c codecV1) Marshal(msg any) (mem.BufferSlice, error) {
	data, err := c.Codec.Marshal(msg)
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

func (c codecV1) Unmarshal(data mem.BufferSlice, msg any) error {
	return c.Codec.Unmarshal(data.Materialize(), msg)
}

// codecV0 is a codec of the oldest interface, whose name is its String. It is
// deprecated, but an option may still contain one.
type codecV0 struct {
	grpc.Codec
}

func (c codecV0) Name() string { return c.String() }

// jsonCodec is package rpc's JSON codec, for programs that have not registered
// another.
type jsonCodec struct{}

func (jsonCodec) Name() string { return rpc.CodecJSON }

func (jsonCodec) Marshal(msg any) (mem.BufferSlice, error) {
	m, ok := msg.(proto.Message)
	if !ok {
		return nil, notProto(msg)
	}
	data, err := protojson.Marshal(m)
	return mem.BufferSlice{mem.SliceBuffer(data)}, err
}

func (jsonCodec) Unmarshal(data mem.BufferSlice, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return notProto(msg)
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data.Materialize(), m)
}

func notProto(msg any) error {
	return status.Errorf(codes.Internal, "%T is not a protobuf message", msg)
}

// encode returns the encoded msg, which must be freed. As in grpc, a nil msg is
// empty. Its errors are statuses.
func encode(c encoding.CodecV2, msg any) (mem.Buffer, error) {
	if msg == nil {
		return mem.SliceBuffer(nil), nil
	}
	data, err := c.Marshal(msg)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "encode %T as %s: %v", msg, c.Name(), err)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	data.Free()
	return whole, nil
}

// decode decodes a message that has arrived. The codec may retain raw.
func decode(c encoding.CodecV2, raw rpc.Raw, msg any) error {
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, msg); err != nil {
		return status.Errorf(codes.Internal, "decode %T as %s: %.1000v", msg, c.Name(), err)
	}
	return nil
}
