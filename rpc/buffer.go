package rpc

import (
	"math/bits"
	"sync"

	"github.com/parley-rpc/parley/internal/pool"
)

// buffer is pooled memory for one message.
type buffer struct{ bytes []byte }

// One pool keeps buffers up to smallBuffer for all messages. Larger buffers of
// 2^n bytes, up to largeBuffer, have a pool for each size and are only used for
// messages of that size. Otherwise a small message could hold a large buffer,
// which no limit bounds, as long as its handler runs.
const (
	minBuffer   = 256
	smallBuffer = 64 << 10
	largeBuffer = 1 << maxClass

	minClass = 17 // of a buffer larger than smallBuffer
	maxClass = 23
)

var (
	buffers      = sync.Pool{New: func() any { return new(buffer) }}
	largeBuffers = newLargeBuffers()
)

// newLargeBuffers returns the pools of large buffers. Their index is the length
// in bits of their buffers' size - 1.
func newLargeBuffers() (pools [maxClass + 1]*pool.Pool[buffer]) {
	for class := minClass; class <= maxClass; class++ {
		pools[class] = pool.New[buffer](1 << class)
	}
	return pools
}

// getBuffer returns an empty buffer for a message of unknown size.
func getBuffer() *buffer { return buffers.Get().(*buffer) }

// getBufferFor returns an empty buffer with room for size bytes. Above
// smallBuffer its capacity is exactly bufferSize.
func getBufferFor(size int) *buffer {
	if size <= smallBuffer {
		b := getBuffer()
		b.reserve(size)
		return b
	}
	class := bits.Len(uint(size - 1))
	if class < len(largeBuffers) {
		if b := largeBuffers[class].Get(); b != nil {
			return b
		}
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

// bufferSize returns the capacity of a buffer with room for size bytes.
func bufferSize(size int) int { return 1 << bits.Len(uint(max(size, minBuffer)-1)) }

// put returns a buffer to its pool.
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
