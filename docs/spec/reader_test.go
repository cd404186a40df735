package spec_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// This file reads the wire by the letter of PROTOCOL.md. It shares no code with
// the implementation, so the vectors cannot have the same faults.

var (
	errTruncated  = errors.New("truncated")
	errNonMinimal = errors.New("non-minimal")
	errTooLarge   = errors.New("too-large")
	errKeyZero    = errors.New("key-zero")
	errDuplicate  = errors.New("duplicate")
	errFrame      = errors.New("malformed frame")
	errTooBig     = errors.New("frame over max_frame")
)

// varint reads a varint of section 2.1 from the start of b.
func varint(b []byte) (v uint64, rest []byte, err error) {
	for i := range 8 {
		if i == len(b) {
			return 0, nil, errTruncated
		}
		c := b[i]
		if i == 7 && c > 0x0f {
			return 0, nil, errTooLarge
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			if c == 0 && i > 0 {
				return 0, nil, errNonMinimal
			}
			return v, b[i+1:], nil
		}
	}
	return 0, nil, errTooLarge
}

func appendVarint(b []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// blockKeys are the keys that the reader of a fields block knows.
type blockKeys struct{ known, repeated []uint64 }

// readFields reads a fields block of section 2.2.
func readFields(b []byte, keys blockKeys) ([]field, error) {
	fields := []field{}
	seen := make(map[uint64]bool)
	for len(b) > 0 {
		f, rest, err := readField(b)
		if err != nil {
			return nil, err
		}
		if seen[f.Key] && slices.Contains(keys.known, f.Key) && !slices.Contains(keys.repeated, f.Key) {
			return nil, errDuplicate
		}
		seen[f.Key] = true
		fields = append(fields, f)
		b = rest
	}
	return fields, nil
}

func readField(b []byte) (f field, rest []byte, err error) {
	if f.Key, b, err = varint(b); err != nil {
		return f, nil, err
	}
	if f.Key == 0 {
		return f, nil, errKeyZero
	}
	v, b, err := varint(b)
	switch {
	case err != nil:
		return f, nil, err
	case f.Key%2 == 0:
		f.Value = &v
		return f, b, nil
	case v > uint64(len(b)):
		return f, nil, errTruncated
	}
	value := bin(b[:v])
	f.Bytes = &value
	return f, b[v:], nil
}

func appendFields(b []byte, fields []field) []byte {
	for _, f := range fields {
		b = appendVarint(b, f.Key)
		if f.Bytes == nil {
			b = appendVarint(b, *f.Value)
			continue
		}
		b = appendVarint(b, uint64(len(*f.Bytes)))
		b = append(b, *f.Bytes...)
	}
	return b
}

// kind is a row of the table of section 4.2.
type kind struct {
	name      string
	session   bool
	sequenced bool
	flags     byte
}

var kinds = [16]kind{
	1:  {name: "HELLO", session: true},
	2:  {name: "OPEN", sequenced: true, flags: 0x10},
	3:  {name: "HEADER", sequenced: true},
	4:  {name: "DATA", sequenced: true, flags: 0x70},
	5:  {name: "END", sequenced: true},
	6:  {name: "RESET", sequenced: true},
	7:  {name: "WINDOW"},
	8:  {name: "ACK", session: true},
	9:  {name: "PING", session: true},
	10: {name: "PONG", session: true},
	11: {name: "GOAWAY", session: true, sequenced: true},
}

// readMessage reads the frames of a link message, in the order of section 4.3.
func readMessage(b []byte, maxFrame uint64) (frames []frame, err error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: empty link message", errFrame)
	}
	for size := len(b); len(b) > 0; {
		var f frame
		if size-len(b) >= 65536 {
			return frames, fmt.Errorf("%w: begins behind the first 65,536 bytes", errFrame)
		}
		if f, b, err = readFrame(b, maxFrame); err != nil {
			return frames, err
		}
		if err := checkPayload(f); err != nil {
			return frames, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

func readFrame(b []byte, maxFrame uint64) (f frame, rest []byte, err error) {
	head := b[0]
	k := kinds[head&0x0f]
	switch {
	case k.name != "" && (head&0xf0&^k.flags != 0 || head&0x30 == 0x30):
		return f, nil, fmt.Errorf("%w: flags of head %#02x", errFrame, head)
	case k.name == "" && (head&0x0f == 0 || head&0x80 == 0):
		return f, nil, fmt.Errorf("%w: type of head %#02x", errFrame, head)
	case k.name == "":
		f.Skipped, f.Head, f.Flags, k.name = true, &head, []string{"IGNORABLE"}, strconv.Itoa(int(head&0x0f))
	default:
		f.Flags = flagNames(head)
	}
	f.Type, f.Sequenced = k.name, k.sequenced
	if f.Stream, b, err = varint(b[1:]); err != nil {
		return f, nil, fmt.Errorf("%w: stream id: %w", errFrame, err)
	}
	if !f.Skipped && k.session != (f.Stream == 0) {
		return f, nil, fmt.Errorf("%w: %s on stream %d", errFrame, k.name, f.Stream)
	}
	length, b, err := varint(b)
	switch {
	case err != nil:
		return f, nil, fmt.Errorf("%w: length: %w", errFrame, err)
	case length > maxFrame:
		return f, nil, errTooBig
	case length > uint64(len(b)):
		return f, nil, fmt.Errorf("%w: %w", errFrame, errTruncated)
	}
	f.Payload = bin(b[:length])
	return f, b[length:], nil
}

func flagNames(head byte) []string {
	names := []string{}
	for _, f := range []struct {
		bit  byte
		name string
	}{{0x10, "END"}, {0x20, "MORE"}, {0x40, "MARK"}} {
		if head&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}
