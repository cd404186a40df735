package transport

import (
	"bytes"
	"math/bits"
	"slices"
)

// BufferProvider provides the memory into which a message is put.
type BufferProvider interface {
	// Grow returns memory for size bytes that begins with a copy of msg. msg is
	// what has arrived so far, in the memory that Grow has returned before, or
	// nil. The reader goroutine may call Grow: it must not block, nor use the
	// stream.
	Grow(msg []byte, size int) []byte
}

// leastAssembled is the least memory in bytes for a message of several pieces.
const leastAssembled = 64 << 10

// messageBuffer is the message that a Recv puts together from its pieces. The
// half's mu guards it, except for interrupted, which belongs to the Recv.
type messageBuffer struct {
	provider    BufferProvider // of the memory; nil: it is the caller's own
	bytes       []byte         // so far
	claim       claim          // the part of bytes in the session's assembly
	saved       []byte         // the beginning of a message, from a Recv whose context ended
	interrupted bool           // the last Recv has saved something
	direct      bool           // a Recv waits: pieces go here, and not to the inbox
	mark        bool
	complete    bool
	blocked     bool // pieces have arrived and wait until bytes may grow
}

// start begins a message in the memory of buf, or of a provider, with what an
// interrupted Recv has saved.
func (m *messageBuffer) start(buf []byte, provider BufferProvider) {
	m.complete, m.interrupted = false, false
	m.bytes, m.provider = buf[:0], provider
	if m.saved != nil {
		m.grow(len(m.saved))
		m.bytes = append(m.bytes, m.saved...)
		m.saved = nil
	}
}

// reset drops the reference to the memory.
func (m *messageBuffer) reset() { m.bytes, m.provider = nil, nil }

// interrupt ends a Recv whose context has ended. What has arrived of a message
// is saved for the next Recv, with its claim.
func (m *messageBuffer) interrupt(a *assembly) {
	if len(m.bytes) > 0 {
		m.saved, m.interrupted = bytes.Clone(m.bytes), true
		a.pause(&m.claim)
	} else {
		a.release(&m.claim)
	}
	m.reset()
}

// sizes returns two sizes of memory in which need bytes fit: twice of what
// there is, and enough for the longest message so far. The message is then not
// moved again for each few pieces.
func (m *messageBuffer) sizes(need, longest, maxMessage int) (next, best int) {
	limit := max(need, maxMessage)
	next = min(limit, roundUp(max(need, 2*cap(m.bytes), leastAssembled)))
	return next, min(limit, roundUp(longest))
}

// roundUp returns the least power of two that is not below n, nor below 1.
func roundUp(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }

// grow gives the message room for size bytes.
func (m *messageBuffer) grow(size int) {
	if m.provider != nil {
		m.bytes = m.provider.Grow(m.bytes, size)
	} else {
		m.bytes = slices.Grow(m.bytes, size-len(m.bytes))
	}
}
