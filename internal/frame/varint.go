package frame

import (
	"encoding/binary"
	"errors"
)

// MaxVarint is the largest integer on the wire, 2^53-1, so that a float64
// represents each integer exactly (PROTOCOL.md, section "Integers").
const MaxVarint = 1<<53 - 1

// maxVarintLen is the length in bytes of MaxVarint's encoding.
const maxVarintLen = 8

var (
	// ErrIncomplete says that the bytes end before the value does. In the
	// middle of a message, more bytes follow; at its end, the message is
	// malformed.
	ErrIncomplete = errors.New("frame: bytes end inside a frame")
	// ErrVarint says that an integer is not in its shortest form or is larger
	// than MaxVarint.
	ErrVarint = errors.New("frame: integer not minimal or above 2^53-1")
)

// AppendVarint appends v, which must not exceed MaxVarint, as unsigned LEB128.
func AppendVarint(dst []byte, v uint64) []byte {
	return binary.AppendUvarint(dst, v)
}

// ParseVarint reads the integer at the start of b and returns its length in
// bytes.
func ParseVarint(b []byte) (v uint64, n int, err error) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1, nil
	}
	for i, c := range b {
		if i == maxVarintLen {
			return 0, 0, ErrVarint
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c >= 0x80 {
			continue
		}
		if c == 0 || v > MaxVarint {
			return 0, 0, ErrVarint
		}
		return v, i + 1, nil
	}
	if len(b) >= maxVarintLen {
		return 0, 0, ErrVarint
	}
	return 0, 0, ErrIncomplete
}

// parseWholeVarint reads a payload that is one integer and nothing else.
func parseWholeVarint(p []byte) (uint64, error) {
	v, n, err := ParseVarint(p)
	if err != nil {
		return 0, payloadError(err)
	}
	if n != len(p) {
		return 0, ErrPayload
	}
	return v, nil
}
