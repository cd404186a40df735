package vtproto_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-rpc/parley/rpc"
	vtprotov1 "github.com/parley-rpc/parley/tests/vtproto/gen/parley/vtproto/v1"
)

var codec = rpc.ProtoCodec()

// plain hides the methods of vtprotobuf.
type plain struct{ order *vtprotov1.Order }

func (p plain) ProtoReflect() protoreflect.Message { return p.order.ProtoReflect() }

func (p plain) Reset() { p.order.Reset() }

func TestWhatIsEncodedIsWhatPackageProtoDecodesAndTheOtherWay(t *testing.T) {
	for _, n := range []int{0, 1, 2, 300} {
		fast, err := codec.MarshalAppend([]byte("before"), order(n))
		if err != nil || !bytes.HasPrefix(fast, []byte("before")) {
			t.Fatal(err)
		}
		got := new(vtprotov1.Order)
		err = proto.Unmarshal(fast[len("before"):], got)
		want(t, got, err, order(n))

		slow, err := proto.Marshal(order(n))
		if err != nil {
			t.Fatal(err)
		}
		got = order(1) // codec.Unmarshal replaces it
		err = codec.Unmarshal(slow, got)
		clear(slow) // the message has its own bytes
		want(t, got, err, order(n))
	}
}

func TestTextMustBeUTF8WhereTheSchemaSaysSo(t *testing.T) {
	bad := "\xff"
	for field, m := range map[string]*vtprotov1.Order{
		"Order.id":                {Id: bad},
		"Order.card":              {Payment: &vtprotov1.Order_Card{Card: bad}},
		"Customer.name":           {Customer: &vtprotov1.Customer{Name: bad}},
		"Item.article":            {Items: []*vtprotov1.Item{{}, {Article: bad}}},
		"Order.LabelsEntry.key":   {Labels: map[string]string{bad: ""}},
		"Order.LabelsEntry.value": {Labels: map[string]string{"": bad}},
	} {
		says := "string field parley.vtproto.v1." + field + " contains invalid UTF-8"
		if _, err := codec.MarshalAppend(nil, m); err == nil || err.Error() != says {
			t.Errorf("encode: got %v, want %s", err, says)
		}
		data, err := m.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		if err := codec.Unmarshal(data, new(vtprotov1.Order)); err == nil || err.Error() != says {
			t.Errorf("decode: got %v, want %s", err, says)
		}
	}
	data, err := codec.MarshalAppend(nil, &vtprotov1.Parcel{Id: &bad, Note: &bad})
	if err != nil {
		t.Fatalf("proto2 allows any text: %v", err)
	}
	if got := new(vtprotov1.Parcel); codec.Unmarshal(data, got) != nil || got.GetNote() != bad {
		t.Fatalf("proto2 allows any text: got %v", got)
	}
}

func TestRequiredFieldsMustBeSet(t *testing.T) {
	id := "a"
	m := &vtprotov1.Parcel{Id: &id, Inner: []*vtprotov1.Parcel{{}}}
	if _, err := codec.MarshalAppend(nil, m); err == nil || !strings.Contains(err.Error(), "required") {
		t.Fatalf("encode: got %v", err)
	}
	data, err := proto.MarshalOptions{AllowPartial: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := codec.Unmarshal(data, new(vtprotov1.Parcel)); err == nil || !strings.Contains(err.Error(), "required") {
		t.Fatalf("decode: got %v", err)
	}
}

// nested returns n messages of one field, each in the one before.
func nested(n int, field protowire.Number, innermost []byte) []byte {
	tag := protowire.AppendTag(nil, field, protowire.BytesType)
	var starts [][]byte // of the fields, the innermost first
	size := len(innermost)
	for range n - 1 {
		start := protowire.AppendVarint(slices.Clone(tag), uint64(size))
		starts = append(starts, start)
		size += len(start)
	}
	slices.Reverse(starts)
	return append(slices.Concat(starts...), innermost...)
}

func TestNestingIsLimitedAsInPackageProto(t *testing.T) {
	for n, ok := range map[int]bool{9_999: true, 10_000: true, 10_001: false, 100_000: false} {
		order, parcel := nested(n, 20, nil), nested(n, 3, []byte("\x0a\x00"))
		if err := codec.Unmarshal(order, new(vtprotov1.Order)); (err == nil) != ok {
			t.Errorf("%d orders in each other: %v", n, err)
		}
		if err := proto.Unmarshal(order, new(vtprotov1.Order)); (err == nil) != ok {
			t.Errorf("%d orders in each other, package proto: %v", n, err)
		}
		err := codec.Unmarshal(parcel, new(vtprotov1.Parcel))
		if tooDeep := err != nil && strings.Contains(err.Error(), "nested"); tooDeep == ok {
			t.Errorf("%d parcels in each other: %v", n, err)
		}
	}
}

func TestGroupsAreLeftToPackageProto(t *testing.T) {
	bundle := new(vtprotov1.Bundle)
	for range 3 {
		bundle = &vtprotov1.Bundle{Part: &vtprotov1.Bundle_Part{Bundle: bundle}}
	}
	data, err := codec.MarshalAppend(nil, bundle)
	if err != nil {
		t.Fatal(err)
	}
	got := new(vtprotov1.Bundle)
	if err := codec.Unmarshal(data, got); err != nil || !proto.Equal(got, bundle) {
		t.Fatalf("got %v, %v, want %v", got, err, bundle)
	}
}

// FuzzDecode holds the codec against package proto. What package proto encodes,
// both read alike. Of other bytes the two may read different things (vtprotobuf
// is lenient in maps, and strict about types on the wire), but what the codec
// accepts can be encoded again: its text is UTF-8.
func FuzzDecode(f *testing.F) {
	for n := range 3 {
		data, err := proto.Marshal(order(n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\x0a\x01\xff"))
	f.Add([]byte("\x22\x05\x0a\x00\x10\x01\xff")) // the value of a map's entry has another type on the wire
	f.Fuzz(func(t *testing.T, data []byte) {
		fast, slow := new(vtprotov1.Order), new(vtprotov1.Order)
		if codec.Unmarshal(data, fast) == nil {
			if _, err := proto.Marshal(fast); err != nil {
				t.Fatalf("%x: %v, encoded again: %v", data, fast, err)
			}
		}
		if proto.Unmarshal(data, plain{slow}) != nil {
			return
		}
		dropUnknown(slow.ProtoReflect()) // vtprotobuf refuses a known number with another type
		encoded, err := proto.Marshal(slow)
		if err != nil {
			t.Fatal(err)
		}
		if err := codec.Unmarshal(encoded, fast); err != nil || !proto.Equal(fast, slow) {
			t.Fatalf("%x: %v, %v, package proto: %v", encoded, fast, err, slow)
		}
	})
}

func dropUnknown(m protoreflect.Message) {
	m.SetUnknown(nil)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() || f.Message() == nil: // maps have text
		case f.IsList():
			for i := range v.List().Len() {
				dropUnknown(v.List().Get(i).Message())
			}
		default:
			dropUnknown(v.Message())
		}
		return true
	})
}
