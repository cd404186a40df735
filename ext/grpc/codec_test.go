package grpcparley_test

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// shout is a codec whose messages are no protobuf messages on the wire: texts in upper
// case. It is one of the older and of the oldest interface at once.
type shout struct{}

func (shout) Name() string { return "shout" }

func (shout) String() string { return "shout" }

func (shout) Marshal(msg any) ([]byte, error) {
	m, ok := msg.(textual)
	if !ok {
		return nil, fmt.Errorf("%T has no text", msg)
	}
	return []byte(strings.ToUpper(m.GetText())), nil
}

func (shout) Unmarshal(data []byte, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("%T has no text", msg)
	}
	m.ProtoReflect().Set(m.ProtoReflect().Descriptor().Fields().ByName("text"), protoreflect.ValueOfString(strings.ToLower(string(data))))
	return nil
}

// shoutV2 is shout, of the newer interface, whose messages come in pieces.
type shoutV2 struct{ shout }

func (s shoutV2) Marshal(msg any) (mem.BufferSlice, error) {
	data, err := s.shout.Marshal(msg)
	half := len(data) / 2
	return mem.BufferSlice{mem.SliceBuffer(data[:half]), mem.SliceBuffer(data[half:])}, err
}

func (s shoutV2) Unmarshal(data mem.BufferSlice, msg any) error {
	return s.shout.Unmarshal(data.Materialize(), msg)
}
