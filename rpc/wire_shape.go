package rpc

import (
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxNesting is how deep messages may be nested, as in package proto. A peer
// that nests deeper could exhaust the stack, which ends the process.
const maxNesting = protowire.DefaultRecursionLimit

var errNesting = fmt.Errorf("messages are nested more than %d deep", maxNesting)

// wireShape says what must be checked of the encoded messages of a type, because
// the methods of vtprotobuf do not.
type wireShape struct {
	fields   map[protowire.Number]*wireField // those to check; empty: none
	low      [lowNumbers]*wireField          // of these, those with numbers of one byte: found faster
	hasGroup bool                            // somewhere inside; vtprotobuf reads nested groups in quadratic time
	isBuilt  bool

	// Of an entry of a map, the types on the wire of key and value, which
	// vtprotobuf does not look at.
	isEntry    bool
	key, value protowire.Type
}

const lowNumbers = 16

// wireField is text, or a message that has something to check.
type wireField struct {
	name    protoreflect.FullName
	message *wireShape // nil: text
}

// check reports text that is not UTF-8, and nesting that is too deep.
func (s *wireShape) check(data []byte) error { return s.checkNested(data, maxNesting) }

func (s *wireShape) checkNested(data []byte, depth int) error {
	if len(s.fields) == 0 {
		return nil
	}
	if depth == 0 {
		return errNesting
	}
	for len(data) > 0 {
		tag, n := consumeVarint(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		number, kind := protowire.DecodeTag(tag)
		if s.isEntry && (number == 1 && kind != s.key || number == 2 && kind != s.value) {
			return fmt.Errorf("field %d of an entry of a map has the wire type %d", number, kind)
		}
		if kind != protowire.BytesType {
			if n = consumeNumber(number, kind, data); n < 0 {
				return protowire.ParseError(n)
			}
			data = data[n:]
			continue
		}
		size, n := consumeVarint(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if data = data[n:]; size > uint64(len(data)) {
			return io.ErrUnexpectedEOF
		}
		if field := s.field(number); field != nil {
			if err := field.check(data[:size], depth); err != nil {
				return err
			}
		}
		data = data[size:]
	}
	return nil
}

func (f *wireField) check(value []byte, depth int) error {
	switch {
	case f.message != nil:
		return f.message.checkNested(value, depth-1)
	case !utf8.Valid(value):
		return fmt.Errorf("string field %s contains invalid UTF-8", f.name)
	}
	return nil
}

// consumeVarint is protowire.ConsumeVarint. Most are of one byte.
func consumeVarint(data []byte) (v uint64, n int) {
	if len(data) > 0 && data[0] < 0x80 {
		return uint64(data[0]), 1
	}
	return protowire.ConsumeVarint(data)
}

// consumeNumber returns the length of the value of a field, which is not bytes.
func consumeNumber(number protowire.Number, kind protowire.Type, data []byte) int {
	switch {
	case kind == protowire.VarintType:
		_, n := consumeVarint(data)
		return n
	case kind == protowire.Fixed64Type && len(data) >= 8:
		return 8
	}
	return protowire.ConsumeFieldValue(number, kind, data)
}

func (s *wireShape) set(number protowire.Number, f *wireField) {
	s.fields[number] = f
	if number < lowNumbers {
		s.low[number] = f
	}
}

// field returns the field with a number, or nil if it needs no check.
func (s *wireShape) field(number protowire.Number) *wireField {
	if number > 0 && number < lowNumbers {
		return s.low[number]
	}
	return s.fields[number]
}

var wireShapes sync.Map // *wireShape by protoreflect.MessageDescriptor

// wireShapeOf returns the shape of the type of m.
func wireShapeOf(m proto.Message) *wireShape {
	d := m.ProtoReflect().Descriptor()
	if shape, ok := wireShapes.Load(d); ok {
		return shape.(*wireShape)
	}
	shape, _ := wireShapes.LoadOrStore(d, wireShapeBuilder{}.build(d))
	return shape.(*wireShape)
}

// wireShapeBuilder has the shapes of the types that a type is made of.
type wireShapeBuilder map[protoreflect.MessageDescriptor]*wireShape

// build returns the shape of a type. A type that is found again before it is
// built holds itself, so its nesting needs a check.
func (b wireShapeBuilder) build(d protoreflect.MessageDescriptor) *wireShape {
	if shape := b[d]; shape != nil {
		return shape
	}
	shape := &wireShape{fields: make(map[protowire.Number]*wireField)}
	b[d] = shape
	for i := range d.Fields().Len() {
		b.add(shape, d.Fields().Get(i))
	}
	if d.IsMapEntry() {
		shape.isEntry = true
		shape.key, shape.value = wireType(d.Fields().ByNumber(1)), wireType(d.Fields().ByNumber(2))
	}
	shape.isBuilt = true
	return shape
}

// add adds a field of a type to its shape.
func (b wireShapeBuilder) add(shape *wireShape, f protoreflect.FieldDescriptor) {
	switch f.Kind() {
	case protoreflect.StringKind:
		if checksUTF8(f) {
			shape.set(f.Number(), &wireField{name: f.FullName()})
		}
	case protoreflect.MessageKind:
		inner := b.build(f.Message())
		shape.hasGroup = shape.hasGroup || inner.hasGroup
		if !inner.isBuilt || len(inner.fields) > 0 {
			shape.set(f.Number(), &wireField{name: f.FullName(), message: inner})
		}
	case protoreflect.GroupKind:
		shape.hasGroup = true
	default: // numbers and bytes need no check
	}
}

// checksUTF8 reports whether the schema asks for text that is UTF-8: proto3
// does, proto2 does not, and in editions it is a feature of the field.
func checksUTF8(f protoreflect.FieldDescriptor) bool {
	if e, ok := f.(interface{ EnforceUTF8() bool }); ok && f.ParentFile().Syntax() == protoreflect.Editions {
		return e.EnforceUTF8()
	}
	return f.ParentFile().Syntax() == protoreflect.Proto3
}

// wireType returns the type on the wire of a field, which is not repeated.
func wireType(f protoreflect.FieldDescriptor) protowire.Type {
	switch f.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	default:
		return protowire.VarintType
	}
}
