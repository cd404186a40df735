package rpc

import (
	"fmt"
	"math"
	"runtime"

	"google.golang.org/protobuf/proto"
)

// vtMarshalMethods are the methods by which a message encodes itself, as
// vtprotobuf generates them.
type vtMarshalMethods interface {
	SizeVT() int
	MarshalToSizedBufferVT(data []byte) (n int, err error) // fills the end of data
}

// vtUnmarshalMethods is the method by which a message decodes itself.
type vtUnmarshalMethods interface {
	UnmarshalVT(data []byte) error // merges, and copies bytes
}

// vtMarshaler encodes a message by its own methods.
type vtMarshaler struct {
	message vtMarshalMethods
	shape   *wireShape
}

// newVTMarshaler reports false if m must be encoded by package proto.
func newVTMarshaler(m proto.Message) (v vtMarshaler, ok bool) {
	if v.message, ok = m.(vtMarshalMethods); !ok {
		return v, false
	}
	v.shape = wireShapeOf(m)
	return v, !v.shape.hasGroup
}

// marshal puts the message into an empty buffer.
func (v vtMarshaler) marshal(b *buffer) error {
	size, err := v.size()
	if err != nil {
		return err
	}
	b.reserve(size)
	encoded, err := v.append(b.bytes, size)
	if err == nil {
		b.bytes = encoded
	}
	return err
}

// size returns the length of the encoded message in bytes.
func (v vtMarshaler) size() (size int, err error) {
	defer recoverVT(&err, "SizeVT")
	size = v.message.SizeVT()
	if size < 0 || size > math.MaxInt32 {
		return 0, fmt.Errorf("SizeVT returned %d: a message has at most %d bytes", size, math.MaxInt32)
	}
	return size, nil
}

// append appends the message to dst, which has room for it.
func (v vtMarshaler) append(dst []byte, size int) (encoded []byte, err error) {
	defer recoverVT(&err, "MarshalToSizedBufferVT")
	end := len(dst) + size
	room := dst[len(dst):end:end]
	n, err := v.message.MarshalToSizedBufferVT(room)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fmt.Errorf("SizeVT returned %d, MarshalToSizedBufferVT wrote %d bytes: "+
			"do not change a message while it is sent, and generate its code again", size, n)
	}
	return dst[:end], v.shape.check(room)
}

// vtUnmarshaler decodes a message by its own method.
type vtUnmarshaler struct {
	message vtUnmarshalMethods
	shape   *wireShape
}

// newVTUnmarshaler reports false if m must be decoded by package proto.
func newVTUnmarshaler(m proto.Message) (v vtUnmarshaler, ok bool) {
	if v.message, ok = m.(vtUnmarshalMethods); !ok {
		return v, false
	}
	v.shape = wireShapeOf(m)
	return v, !v.shape.hasGroup
}

// merge decodes data into the message, and keeps what the message has.
func (v vtUnmarshaler) merge(data []byte) (err error) {
	if err := v.shape.check(data); err != nil {
		return err
	}
	defer recoverVT(&err, "UnmarshalVT")
	return v.message.UnmarshalVT(data)
}

// recoverVT sets *err if method has panicked. The value of a panic may be
// secret: only errors of the runtime are shown.
func recoverVT(err *error, method string) {
	switch r := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("%s panicked: %w: do not change a message while it is sent, and generate its code again", method, r)
	default:
		*err = fmt.Errorf("%s panicked with a %T", method, r)
	}
}
