package rpc_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/typepb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/internal/frame"
	"github.com/parley-rpc/parley/rpc"
)

// codecVector is a case of docs/spec/vectors/codec.json.
type codecVector struct {
	Name, Codec, Hex, Rule string
	Means                  *string
}

func TestMessagesAreReadAsTheSpecificationSays(t *testing.T) {
	text, err := os.ReadFile("../docs/spec/vectors/codec.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []codecVector
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatalf("%d cases, %v", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, v.run)
	}
}

func (v *codecVector) run(t *testing.T) {
	var got typepb.Type
	srv := rpc.NewServer()
	register(srv, unary, func(_ context.Context, s rpc.Stream) error {
		if err := s.Recv(&got); err != nil {
			return err
		}
		return s.Send(wrapperspb.String(""))
	})
	p := serveRaw(t, srv)
	message, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	p.write(openFrame(1, block(methodField(unary), bytesField(3, v.Codec))), dataFrame(1, frame.FlagEnd, message))
	if v.Means == nil {
		p.wantStatus(1, rpc.CodeInternal)
		return
	}
	p.want(frame.TypeData, 1)
	p.wantStatus(1, rpc.CodeOK)
	means, err := hex.DecodeString(*v.Means)
	if err != nil {
		t.Fatal(err)
	}
	var want typepb.Type
	if err := proto.Unmarshal(means, &want); err != nil {
		t.Fatal(err)
	}
	got.ProtoReflect().SetUnknown(nil)
	if !proto.Equal(&got, &want) {
		t.Errorf("read %v, want %v", &got, &want)
	}
}
