package rpc

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// hexBytes is bytes that a vector contains in hex.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode([]byte{}, text)
	return err
}

// blockVector is a case of docs/spec/vectors/rpc.json.
type blockVector struct {
	Name, Block string
	Hex         hexBytes
	Error, Rule string
	MeansStatus *uint32 `json:"means_status"`
	Call        struct {
		Method, Codec, Encoding, Message string
		Alias                            uint64 `json:"method_alias"`
		Accept                           string `json:"accept_encoding"`
		Timeout                          *uint64
		Status                           uint32
		Details                          []hexBytes
		Metadata                         []struct {
			Key   string
			Value hexBytes
		}
	}
}

func (v *blockVector) metadata() (p *pairs) {
	for _, pair := range v.Call.Metadata {
		p = p.append(pair.Key, string(pair.Value))
	}
	return p
}

// blockCodec parses and writes one kind of block.
type blockCodec struct {
	parse  func([]byte) (any, error)
	append func(any) []byte
}

var blockCodecs = map[string]blockCodec{
	"OPEN": {
		func(p []byte) (any, error) { b, err := parseOpenBlock(p); return b, err },
		func(b any) []byte { o := b.(openBlock); return o.append(nil) },
	},
	"HEADER": {
		func(p []byte) (any, error) { b, err := parseHeaderBlock(p); return b, err },
		func(b any) []byte { h := b.(headerBlock); return h.append(nil) },
	},
	"END": {
		func(p []byte) (any, error) { b, err := parseEndBlock(p); return b, err },
		func(b any) []byte { e := b.(endBlock); return e.append(nil) },
	},
}

// expected returns the parsed block of a vector.
func (v *blockVector) expected(t *testing.T) any {
	c := &v.Call
	switch v.Block {
	case "OPEN":
		b := openBlock{alias: c.Alias, codec: c.Codec, encoding: c.Encoding, accept: c.Accept, metadata: v.metadata()}
		b.service, b.name, _ = strings.Cut(c.Method, "/")
		if c.Timeout != nil {
			b.hasLimit, b.timeout = true, time.Duration(*c.Timeout)*time.Microsecond
		}
		return b
	case "HEADER":
		return headerBlock{encoding: c.Encoding, metadata: v.metadata()}
	}
	b := endBlock{alias: c.Alias, metadata: v.metadata()}
	status := c.Status
	if v.MeansStatus != nil {
		status = *v.MeansStatus
	}
	if status == 0 {
		return b
	}
	b.status = &Error{code: Code(status), message: c.Message}
	for _, d := range c.Details {
		b.status.details = append(b.status.details, anyOf(t, d))
	}
	return b
}

func TestTheVectorsOfTheSpecification(t *testing.T) {
	file, err := os.ReadFile("../docs/spec/vectors/rpc.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []blockVector
	if err := json.Unmarshal(file, &vectors); err != nil || len(vectors) < 40 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			codec, ok := blockCodecs[v.Block]
			if !ok {
				t.Fatalf("block %q", v.Block)
			}
			got, err := codec.parse(v.Hex)
			if v.Error != "" {
				if err == nil || errors.Is(err, errPairs) != (v.Error == "too-many-pairs") {
					t.Fatalf("it is read as %+v, %v, though %s", got, err, v.Rule)
				}
				return
			}
			want := v.expected(t)
			if err != nil || !sameBlock(got, want) {
				t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
			}
			again, err := codec.parse(codec.append(got))
			if err != nil || !sameBlock(again, want) {
				t.Fatalf("written and read again: %+v, %v", again, err)
			}
		})
	}
}

// sameBlock compares blocks. Details are messages, which need proto.Equal.
func sameBlock(a, b any) bool {
	a, m := withoutMetadata(a)
	b, n := withoutMetadata(b)
	if string(m.appendTo(nil)) != string(n.appendTo(nil)) || !reflect.DeepEqual(m.decode(), n.decode()) {
		return false
	}
	x, isEnd := a.(endBlock)
	y, _ := b.(endBlock)
	if !isEnd || x.status == nil || y.status == nil {
		return reflect.DeepEqual(a, b)
	}
	if len(x.status.details) != len(y.status.details) {
		return false
	}
	for i, d := range x.status.details {
		if !proto.Equal(d, y.status.details[i]) {
			return false
		}
	}
	return x.alias == y.alias && x.status.code == y.status.code && x.status.message == y.status.message
}

// withoutMetadata splits a block.
func withoutMetadata(block any) (any, *pairs) {
	var m *pairs
	switch b := block.(type) {
	case openBlock:
		m, b.metadata = b.metadata, nil
		return b, m
	case headerBlock:
		m, b.metadata = b.metadata, nil
		return b, m
	case endBlock:
		m, b.metadata = b.metadata, nil
		return b, m
	}
	return block, nil
}

func TestAliasesAreBounded(t *testing.T) {
	full := make(map[methodName]uint64, maxAliases)
	for i := range uint64(maxAliases) {
		full[methodName{"s", string(rune('a' + i))}] = i + 1
	}
	var a learnedAliases
	a.current.Store(&full)
	one := &Method{Service: "one", Name: "more"}
	a.learn(one, 1)
	if a.of(one) != 0 || a.of(&Method{Service: "s", Name: "a"}) != 1 {
		t.Fatal("an alias beyond the bound was learned, or one was forgotten")
	}
}
