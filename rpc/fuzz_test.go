package rpc

import (
	"encoding/json"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func anyOf(t testing.TB, p []byte) *anypb.Any {
	t.Helper()
	d := new(anypb.Any)
	if err := proto.Unmarshal(p, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// fuzzBlock parses blocks in a fuzz target: none panics, and what is parsed can
// be written and parsed again.
func fuzzBlock(f *testing.F, name string) {
	file, err := os.ReadFile("../docs/spec/vectors/rpc.json")
	if err != nil {
		f.Fatal(err)
	}
	var vectors []blockVector
	if err := json.Unmarshal(file, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		f.Add([]byte(v.Hex))
	}
	codec := blockCodecs[name]
	f.Fuzz(func(t *testing.T, p []byte) {
		first, err := codec.parse(p)
		if err != nil {
			return
		}
		written := codec.append(first)
		second, err := codec.parse(written)
		if err != nil {
			t.Fatalf("%+v is written as %x, which is malformed: %v", first, written, err)
		}
		if !sameBlock(plain(first), plain(second)) {
			t.Fatalf("%x is read as %+v, and after it was written as %+v", p, first, second)
		}
	})
}

// plain returns a block in its canonical form.
func plain(b any) any {
	if o, ok := b.(openBlock); ok && o.codec == CodecProto {
		o.codec = ""
		return o
	}
	return b
}

func FuzzOpenBlock(f *testing.F) { fuzzBlock(f, "OPEN") }

func FuzzHeaderBlock(f *testing.F) { fuzzBlock(f, "HEADER") }

func FuzzEndBlock(f *testing.F) { fuzzBlock(f, "END") }
