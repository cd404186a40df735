package rpc

import (
	"slices"

	"google.golang.org/protobuf/proto"
)

// ProtoCodec returns the codec of CodecProto, to encode messages outside of
// calls, or to wrap it.
//
// Messages with the methods that vtprotobuf generates are encoded by SizeVT and
// MarshalToSizedBufferVT, and decoded by UnmarshalVT. The codec checks what
// these methods do not: text is UTF-8 where the schema says so, and messages are
// nested at most 10000 deep. If such a method panics, the codec returns an
// error.
func ProtoCodec() Codec { return protoCodec{} }

type protoCodec struct{}

func (protoCodec) Name() string { return CodecProto }

func (protoCodec) MarshalAppend(dst []byte, msg any) ([]byte, error) {
	m, err := protoMessage(msg)
	if err != nil {
		return nil, err
	}
	if fast, ok := newVTMarshaler(m); ok {
		size, err := fast.size()
		if err != nil {
			return nil, err
		}
		return fast.append(slices.Grow(dst, size), size)
	}
	return proto.MarshalOptions{}.MarshalAppend(dst, m)
}

// marshalProto is MarshalAppend into an empty buffer.
func marshalProto(b *buffer, msg any) error {
	m, err := protoMessage(msg)
	if err != nil {
		return err
	}
	if fast, ok := newVTMarshaler(m); ok {
		return fast.marshal(b)
	}
	b.reserve(proto.Size(m))
	b.bytes, err = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b.bytes, m)
	return err
}

func (protoCodec) Unmarshal(data []byte, msg any) error {
	m, err := protoMessage(msg)
	if err != nil {
		return err
	}
	if fast, ok := newVTUnmarshaler(m); ok {
		proto.Reset(m)
		return fast.merge(data)
	}
	return proto.Unmarshal(data, m)
}

// mergeProto is Unmarshal for an empty message.
func mergeProto(data []byte, msg any) error {
	m, err := protoMessage(msg)
	if err != nil {
		return err
	}
	if fast, ok := newVTUnmarshaler(m); ok {
		return fast.merge(data)
	}
	return proto.UnmarshalOptions{Merge: true}.Unmarshal(data, m)
}
