package grpcparley_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	grpcparley "github.com/parley-rpc/parley/ext/grpc"
	talkv1 "github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1"
	"github.com/parley-rpc/parley/ext/grpc/internal/gen/talk/v1/talkv1parley"
	"github.com/parley-rpc/parley/rpc"
)

// shout is a codec whose messages on the wire are texts in upper case. It
// implements both of grpc's older codec interfaces.
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

// shoutV2 is shout with the newer interface, whose messages come in pieces.
type shoutV2 struct{ shout }

func (s shoutV2) Marshal(msg any) (mem.BufferSlice, error) {
	data, err := s.shout.Marshal(msg)
	half := len(data) / 2
	return mem.BufferSlice{mem.SliceBuffer(data[:half]), mem.SliceBuffer(data[half:])}, err
}

func (s shoutV2) Unmarshal(data mem.BufferSlice, msg any) error {
	return s.shout.Unmarshal(data.Materialize(), msg)
}

func TestMessagesThatAreNoProtobufMessagesNeedACodec(t *testing.T) {
	cc := grpcparley.NewClientConn(talk(t, talker{}))
	const say = "/talk.v1.TalkService/Say"
	var res talkv1.SayResponse
	for subtype, says := range map[string]string{"proto": "encode string as proto", "json": "string is not a protobuf message", "shout": "string has no text"} {
		err := cc.Invoke(t.Context(), say, "text", &res, grpc.CallContentSubtype(subtype))
		wantError(t, err, codes.Internal, says)
	}
	text := new(string)
	for subtype, says := range map[string]string{"proto": "decode *string as proto", "json": "*string is not a protobuf message", "shout": "*string has no text"} {
		err := cc.Invoke(t.Context(), say, &talkv1.SayRequest{Text: "hello"}, text, grpc.CallContentSubtype(subtype))
		wantError(t, err, codes.Internal, says)
	}
	if err := cc.Invoke(t.Context(), say, nil, &res); err != nil || res.GetText() != "" {
		t.Errorf("nil, the empty message of any type, is answered with %v, %v", &res, err)
	}
}

// Browsers use JSON, which their developer tools can show. grpc's registry has
// no such codec here.
func TestStubsOfParleyReachServicesOfGRPCInJSON(t *testing.T) {
	stub := talkv1parley.NewTalkServiceClient(talk(t, talker{}))
	res, err := stub.Say(t.Context(), &talkv1.SayRequest{Text: "hello"}, rpc.WithCodecName(rpc.CodecJSON))
	if err != nil || res.GetText() != "hello" {
		t.Errorf("got %v, %v", res, err)
	}
}
