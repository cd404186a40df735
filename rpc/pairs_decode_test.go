package rpc

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

func TestPairsAreTheMetadataThatWasAdded(t *testing.T) {
	keys := []string{"a", "b-bin", "tenant", strings.Repeat("k", 200)}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(0, seed))
		var p *pairs
		var want Metadata
		for range random.IntN(12) {
			key, values := keys[random.IntN(len(keys))], make([]string, random.IntN(3))
			for i := range values {
				values[i] = strings.Repeat("v", random.IntN(400))
			}
			var err error
			if p, err = p.add(key, values); err != nil {
				t.Fatal(err)
			}
			if want == nil && len(values) > 0 {
				want = make(Metadata)
			}
			if len(values) > 0 {
				want.Append(key, values...)
			}
		}
		header := openBlock{alias: 1, metadata: p}
		read, err := parseOpenBlock(header.append(nil))
		if err != nil || !reflect.DeepEqual(p.decode(), want) || !reflect.DeepEqual(read.metadata.decode(), want) {
			t.Fatalf("seed %d: %v, read as %v, %v, want %v", seed, p.decode(), read.metadata.decode(), err, want)
		}
	}
}

func TestPairsBetweenOtherFieldsAreKept(t *testing.T) {
	pair := func(dst []byte, key, value string) []byte { return (*pairs)(nil).append(key, value).appendTo(dst) }
	p := frame.AppendUintField(pair(nil, "a", "1"), openAlias, 7)
	p = pair(frame.AppendBytesField(p, 101, "unknown"), "b", "2")
	p = pair(pair(p, "parley-x", "reserved"), "a", "3")
	b, err := parseOpenBlock(p)
	if want := (Metadata{"a": {"1", "3"}, "b": {"2"}}); err != nil || b.alias != 7 || !reflect.DeepEqual(b.metadata.decode(), want) {
		t.Errorf("%v, %v", b.metadata.decode(), err)
	}
}

func TestDecodedPairsShareNoSlice(t *testing.T) {
	p, err := (*pairs)(nil).add("a", []string{"1"})
	if err == nil {
		p, err = p.add("b", []string{"2"})
	}
	if err != nil {
		t.Fatal(err)
	}
	m := p.decode()
	m["a"] = append(m["a"], "x")
	m["a"][0] = "y"
	if want := (Metadata{"a": {"1"}, "b": {"2"}}); m["b"][0] != "2" || !reflect.DeepEqual(p.decode(), want) {
		t.Errorf("%v, and then %v", m, p.decode())
	}
}
