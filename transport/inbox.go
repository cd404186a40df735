package transport

import (
	"encoding/binary"

	"github.com/parley-rpc/parley/internal/frame"
)

// inbox keeps pieces of messages that have arrived and were not read.
type inbox struct {
	queue chunkQueue
	first [1]*chunk // saves an allocation
}

// recordHeader is what precedes a piece in a chunk: its flags and its length.
const recordHeader = 1 + 4

// init gives an inbox its first memory.
func (b *inbox) init() {
	if b.queue.chunks.items == nil {
		b.queue.chunks.items = b.first[:0]
	}
}

func (b *inbox) put(flags frame.Flags, piece []byte) {
	b.init()
	c := b.queue.grow(recordHeader + len(piece))
	c.buf = append(c.buf, byte(flags))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(len(piece)))
	c.buf = append(c.buf, piece...)
}

// next returns the flags and the size of the first piece. The inbox must not be
// empty.
func (b *inbox) next() (flags frame.Flags, size int) {
	c := b.queue.front()
	rec := c.buf[c.taken:]
	return frame.Flags(rec[0]), int(binary.LittleEndian.Uint32(rec[1:]))
}

func (b *inbox) empty() bool { return b.queue.front() == nil }

func (b *inbox) clear() { b.queue.clear() }
