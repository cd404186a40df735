package conformance

import (
	"errors"
	"fmt"
	"strings"
)

// The kit has a codec of its own, because it judges those of others.

const maxVarint = 1<<53 - 1

// The types of frames.
const (
	typeHello  = 1
	typeOpen   = 2
	typeHeader = 3
	typeData   = 4
	typeEnd    = 5
	typeReset  = 6
	typeWindow = 7
	typeAck    = 8
	typePing   = 9
	typePong   = 10
	typeGoAway = 11
)

// The flags of DATA and OPEN.
const (
	flagEnd       = 0x10
	flagMore      = 0x20
	flagMark      = 0x40
	flagIgnorable = 0x80
)

var typeNames = []string{"?", "HELLO", "OPEN", "HEADER", "DATA", "END", "RESET", "WINDOW", "ACK", "PING", "PONG", "GOAWAY", "12", "13", "14", "15"}

// frame is one frame on the link.
type frame struct {
	kind    byte
	flags   byte
	stream  uint64
	payload []byte
}

func (f *frame) sequenced() bool {
	return f.kind >= typeOpen && f.kind <= typeReset || f.kind == typeGoAway
}

func (f *frame) String() string {
	text := typeNames[f.kind]
	if f.stream != 0 {
		text += fmt.Sprintf(" of stream %d", f.stream)
	}
	return text
}

// append appends the frame as it is on the link.
func (f *frame) append(dst []byte) []byte {
	dst = appendVarint(append(dst, f.kind|f.flags), f.stream)
	return append(appendVarint(dst, uint64(len(f.payload))), f.payload...)
}

func appendVarint(dst []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

var errVarint = errors.New("a malformed varint")

// cutVarint reads a varint at the beginning of b.
func cutVarint(b []byte) (v uint64, rest []byte, err error) {
	for i, c := range b {
		v |= uint64(c&0x7f) << (7 * i)
		switch {
		case i == 7 && c > 0x0f, i > 0 && c == 0:
			return 0, nil, errVarint
		case c < 0x80:
			return v, b[i+1:], nil
		}
	}
	return 0, nil, errVarint
}

// parseFrames cuts a link message of the implementation under test into frames.
func parseFrames(msg []byte) (frames []frame, err error) {
	if len(msg) == 0 {
		return nil, errors.New("an empty link message (L2)")
	}
	for rest := msg; len(rest) > 0; {
		if at := len(msg) - len(rest); at >= 65_536 {
			return frames, fmt.Errorf("a frame begins at byte %d of a link message (L9)", at)
		}
		var f frame
		if f, rest, err = cutFrame(rest); err != nil {
			return frames, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// flagsOf are the flags that each known type has.
var flagsOf = map[byte]byte{typeOpen: flagEnd, typeData: flagEnd | flagMore | flagMark}

func cutFrame(b []byte) (f frame, rest []byte, err error) {
	f.kind, f.flags = b[0]&0x0f, b[0]&0xf0
	ofSession := f.kind == typeHello || f.kind >= typeAck
	if f.stream, b, err = cutVarint(b[1:]); err != nil {
		return f, nil, fmt.Errorf("%s: the stream id: %w (F6)", &f, err)
	}
	size, b, err := cutVarint(b)
	switch {
	case err != nil:
		return f, nil, fmt.Errorf("%s: the length: %w (F6)", &f, err)
	case size > uint64(len(b)):
		return f, nil, fmt.Errorf("%s: the link message ends inside the frame (F9)", &f)
	case f.kind > typeGoAway && f.flags&flagIgnorable == 0 || f.kind == 0:
		return f, nil, fmt.Errorf("a frame of type %d (F1, F2)", f.kind)
	case f.kind <= typeGoAway && f.flags&^flagsOf[f.kind] != 0:
		return f, nil, fmt.Errorf("%s with the flags %#x (F4)", &f, f.flags)
	case f.kind <= typeGoAway && ofSession != (f.stream == 0):
		return f, nil, fmt.Errorf("%s with the id %d (F7)", typeNames[f.kind], f.stream)
	case f.flags&flagMore != 0 && (f.flags&flagEnd != 0 || size == 0) && f.kind == typeData:
		return f, nil, fmt.Errorf("%s: MORE with END, or without payload (F5, F13)", &f)
	}
	f.payload = b[:size]
	return f, b[size:], nil
}

// field is one field of a block. An odd key has bytes.
type field struct {
	key   uint64
	value uint64
	bytes []byte
}

func appendFields(dst []byte, fields ...field) []byte {
	for _, f := range fields {
		dst = appendVarint(dst, f.key)
		if f.key%2 == 0 {
			dst = appendVarint(dst, f.value)
			continue
		}
		dst = append(appendVarint(dst, uint64(len(f.bytes))), f.bytes...)
	}
	return dst
}

// parseFields reads a whole block.
func parseFields(b []byte) (fields []field, err error) {
	for len(b) > 0 {
		var f field
		if f.key, b, err = cutVarint(b); err != nil {
			return nil, err
		}
		if f.value, b, err = cutVarint(b); err != nil {
			return nil, err
		}
		if f.key%2 == 1 {
			if f.value > uint64(len(b)) {
				return nil, errors.New("the block ends inside a field")
			}
			f.bytes, b = b[:f.value], b[f.value:]
		}
		if f.key == 0 {
			return nil, errors.New("key 0")
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// streamID returns the id of the stream that a case calls p1 or i1: p1 is the first
// stream that the peer (the runner) opens, i1 the first of the implementation.
func streamID(name string, runnerDials bool) (uint64, error) {
	n, err := number(strings.TrimLeft(name, "pi"))
	switch {
	case err != nil:
		return 0, fmt.Errorf("stream %q: write p1, i1 or a number", name)
	case strings.HasPrefix(name, "p") == runnerDials && name[0] > '9':
		return 2*n - 1, nil
	case name[0] > '9':
		return 2 * n, nil
	}
	return n, nil
}
