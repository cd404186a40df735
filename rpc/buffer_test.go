package rpc

import "testing"

// TestSmallMessageIsNotGivenMemoryOfALargeOne: a small message may hold its
// memory for as long as its handler runs, and the number of such messages has
// no bound.
func TestSmallMessageIsNotGivenMemoryOfALargeOne(t *testing.T) {
	for size := smallBuffer + 1; size <= 2*largeBuffer; size *= 2 {
		for range 8 {
			b := getBufferFor(size)
			if cap(b.bytes) != bufferSize(size) || cap(b.bytes) < size || cap(b.bytes) >= 2*size {
				t.Errorf("a buffer of %d bytes for %d", cap(b.bytes), size)
			}
			b.put()
			(&buffer{bytes: make([]byte, size)}).put() // the pools have no buffers of this size
			var reserved buffer
			reserved.reserve(size)
			reserved.put()
		}
	}
	for range 100 {
		if b := getBuffer(); cap(b.bytes) > smallBuffer {
			t.Fatalf("a small message is given %d bytes", cap(b.bytes))
		}
	}
}
