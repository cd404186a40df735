package rpc

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Codec encodes and decodes messages. It must be safe for concurrent use.
type Codec interface {
	// Name returns the codec's name on the wire.
	Name() string
	// MarshalAppend appends the encoded msg to dst.
	MarshalAppend(dst []byte, msg any) ([]byte, error)
	// Unmarshal decodes data into msg. It must not retain data.
	Unmarshal(data []byte, msg any) error
}

// Names of the built-in codecs.
const (
	CodecProto = "proto" // the default
	CodecJSON  = "json"  // protojson, readable in a browser's tools
)

func defaultCodecs() map[string]Codec {
	return map[string]Codec{CodecProto: protoCodec{}, CodecJSON: jsonCodec{}}
}

type jsonCodec struct{}

func (jsonCodec) Name() string { return CodecJSON }

func (jsonCodec) MarshalAppend(dst []byte, msg any) ([]byte, error) {
	m, err := protoMessage(msg)
	if err != nil {
		return nil, err
	}
	return protojson.MarshalOptions{}.MarshalAppend(dst, m)
}

// Unmarshal ignores unknown fields: they come from a newer peer.
func (jsonCodec) Unmarshal(data []byte, msg any) error {
	m, err := protoMessage(msg)
	if err != nil {
		return err
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m)
}

func protoMessage(msg any) (proto.Message, error) {
	if m, ok := msg.(proto.Message); ok {
		return m, nil
	}
	return nil, fmt.Errorf("%T is not a protobuf message", msg)
}
