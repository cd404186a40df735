package rpc

import (
	"math/bits"
	"sync"
)

// buffer is pooled memory for one message.
type buffer struct{ bytes []byte }

// Pools keep buffers up to smallBuffer for all messages, and apart from those larger ones of
// 2^n bytes, up to largeBuffer: these are for messages of that size alone. A small message
// that had one would hold memory that nothing bounds, for as long as its handler runs.
const (
	minBuffer   = 256
	smallBuffer = 64 << 10
	largeBuffer = 8 << 20
)

var (
	buffers      = sync.Pool{New: func() any { return new(buffer) }}
	largeBuffers [bits.UintSize]sync.Pool // by the length in bits of their size - 1
)

// getBuffer returns an empty buffer for a message of which the size is not known.
func getBuffer() *buffer { return buffers.Get().(*buffer) }

// getBufferFor returns an empty buffer with room for size bytes, of exactly bufferSize if
// that is more than smallBuffer.
func getBufferFor(size int) *buffer {
	if size <= smallBuffer {
		b := getBuffer()
		b.reserve(size)
		return b
	}
	class := bits.Len(uint(size - 1))
	if b, ok := largeBuffers[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{bytes: make([]byte, 0, bufferSize(size))}
}

// reserve makes room for size bytes in an empty buffer.
func (b *buffer) reserve(size int) {
	switch {
	case size <= cap(b.bytes):
	case size <= smallBuffer:
		b.bytes = make([]byte, 0, bufferSize(size))
	default:
		large := getBufferFor(size)
		b.bytes, large.bytes = large.bytes, b.bytes
		large.put()
	}
}

// bufferSize returns the size of a buffer that has room for size bytes.
func bufferSize(size int) int { return 1 << bits.Len(uint(max(size, minBuffer)-1)) }

// put keeps a buffer that is not used any more.
func (b *buffer) put() {
	size := cap(b.bytes)
	b.bytes = b.bytes[:0]
	if size <= smallBuffer {
		buffers.Put(b)
		return
	}
	if class := bits.Len(uint(size - 1)); size <= largeBuffer && size == 1<<class {
		largeBuffers[class].Put(b)
	}
}
