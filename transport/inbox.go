package transport

import (
	"encoding/binary"

	"github.com/parley-rpc/parley/transport/frame"
)

// inbox keeps pieces of messages that have arrived and were not read.
type inbox struct {
	queue chunkQueue
	first [1]*chunk // spares an allocation
}

// recordHeader is what precedes a piece in a chunk: its flags and its length.
const recordHeader = 1 + 4

func (b *inbox) put(flags frame.Flags, piece []byte) {
	if b.queue.chunks == nil {
		b.queue.chunks = b.first[:0]
	}
	c := b.queue.grow(recordHeader + len(piece))
	c.buf = append(c.buf, byte(flags))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(len(piece)))
	c.buf = append(c.buf, piece...)
}

// next tells of the first piece. There is one.
func (b *inbox) next() (flags frame.Flags, size int) {
	c := b.queue.front()
	rec := c.buf[c.taken:]
	return frame.Flags(rec[0]), int(binary.LittleEndian.Uint32(rec[1:]))
}

// take appends the first piece to dst. There is one.
func (b *inbox) take(dst []byte) (_ []byte, flags frame.Flags, size int) {
	c := b.queue.front()
	flags, size = b.next()
	dst = append(dst, c.buf[c.taken+recordHeader:c.taken+recordHeader+size]...)
	if c.taken += recordHeader + size; c.taken == len(c.buf) {
		b.queue.pop()
	}
	return dst, flags, size
}

func (b *inbox) empty() bool { return b.queue.front() == nil }

func (b *inbox) clear() { b.queue.clear() }
