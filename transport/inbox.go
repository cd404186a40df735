package transport

import (
	"encoding/binary"

	"github.com/parley-rpc/parley/internal/frame"
)

// inbox keeps pieces of messages that have arrived and were not read.
type inbox struct {
	queue chunkQueue
	first [1]*chunk // spares an allocation
}

// recordHeader is what precedes a piece in a chunk: its flags and its length.
const recordHeader = 1 + 4

// begin gives an inbox that has had nothing its first memory.
func (b *inbox) begin() {
	if b.queue.chunks.items == nil {
		b.queue.chunks.items = b.first[:0]
	}
}

func (b *inbox) put(flags frame.Flags, piece []byte) {
	b.begin()
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

func (b *inbox) empty() bool { return b.queue.front() == nil }

func (b *inbox) clear() { b.queue.clear() }

// hand is what a Recv has taken over of an inbox.
type hand struct {
	inbox
	lent *chunk // of which everything has been lent; nil: there is none
}

// takeOver takes over what is in an inbox, and tells whether that is anything.
func (h *hand) takeOver(b *inbox) bool {
	if b.empty() {
		return false
	}
	h.begin()
	h.queue.chunks.push(b.queue.chunks.all()...)
	b.queue.chunks.clear()
	return true
}

// lend returns the first piece, which is valid until giveBack. There is one, and none is
// lent.
func (h *hand) lend() []byte {
	c := h.queue.front()
	_, size := h.next()
	piece := c.buf[c.taken+recordHeader:][:size:size]
	if c.taken += recordHeader + size; c.taken == len(c.buf) {
		h.queue.chunks.pop()
		h.lent = c
	}
	return piece
}

// giveBack ends the use of what was lent.
func (h *hand) giveBack() {
	if h.lent != nil {
		h.lent.free()
		h.lent = nil
	}
}

func (h *hand) clear() {
	h.giveBack()
	h.inbox.clear()
}
