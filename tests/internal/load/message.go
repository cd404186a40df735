package load

import (
	"encoding/binary"
	"hash/crc32"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

// direction of a message within its call.
type direction byte

const (
	answer direction = iota
	request
)

// message is a message of a load:
//
//	direction 1 | call 8 | number 4 | answers 4 | filling | CRC-32C 4
type message struct {
	direction direction
	call      uint64
	number    uint32 // from 0, within call and direction
	answers   uint32 // how many responses the caller wants, for calls with a stream of them
	whole     bool   // its checksum is right
}

// The size of a message without its filling, in bytes.
const (
	headSize = 17
	sumSize  = 4
)

// encode makes the message with a size in bytes.
func (m message) encode(size int) *wrapperspb.BytesValue {
	b := make([]byte, size)
	b[0] = byte(m.direction)
	binary.BigEndian.PutUint64(b[1:], m.call)
	binary.BigEndian.PutUint32(b[9:], m.number)
	binary.BigEndian.PutUint32(b[13:], m.answers)
	fill(b[headSize:size-sumSize], m.call<<20+uint64(m.number)+uint64(m.direction)<<63|1)
	binary.BigEndian.PutUint32(b[size-sumSize:], crc32.Checksum(b[:size-sumSize], table))
	return wrapperspb.Bytes(b)
}

// fill fills b with random bytes that depend on x, which is not 0.
func fill(b []byte, x uint64) {
	for len(b) > 0 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		if len(b) < 8 {
			b[0], b = byte(x), b[1:]
			continue
		}
		binary.LittleEndian.PutUint64(b, x)
		b = b[8:]
	}
}

// decode reads a message.
func decode(v *wrapperspb.BytesValue) (m message) {
	b := v.GetValue()
	if len(b) < headSize+sumSize {
		return message{}
	}
	end := len(b) - sumSize
	return message{
		direction: direction(b[0]),
		call:      binary.BigEndian.Uint64(b[1:]),
		number:    binary.BigEndian.Uint32(b[9:]),
		answers:   binary.BigEndian.Uint32(b[13:]),
		whole:     crc32.Checksum(b[:end], table) == binary.BigEndian.Uint32(b[end:]),
	}
}
