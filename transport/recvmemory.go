package transport

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/parley-rpc/parley/internal/frame"
)

// BufferProvider provides the memory into which a message is put.
type BufferProvider interface {
	// Grow returns memory for size bytes that begins with a copy of msg, which is what has
	// come so far, in the memory that Grow has returned before, or nil. It may be called on
	// the reading goroutine: it must not block, nor use the stream.
	Grow(msg []byte, size int) []byte
}

// ReleaseMessage ends the use of the message that RecvBorrowed has returned last. Until then its
// memory counts for Parameters.MaxReassembly, if it came in several frames.
func (st *Stream) ReleaseMessage() { st.s.assembly.leave(&st.recv.claim) }

// leastAssembled is the least memory in bytes that a message in pieces is given.
const leastAssembled = 64 << 10

// room makes room in dst for a piece. It reports false if that has to wait, as the session
// holds as much for messages in pieces as it may; notify wakes the Recv then. The room is
// for the longest message so far, or twice what there is: dst is not to be moved again for
// each few pieces.
func (r *recvHalf) room(s *Session, flags frame.Flags, piece int) bool {
	need := len(r.dst) + piece
	switch {
	case need <= cap(r.dst):
		return true
	case flags&frame.FlagMore == 0 && len(r.dst) == 0: // it is the only one
		r.grow(need)
		return true
	}
	most := max(need, s.cfg.MaxMessage)
	size := min(most, roundUp(max(need, 2*cap(r.dst), leastAssembled)))
	longest := min(most, roundUp(r.longest))
	if r.claim.wake == nil {
		r.claim.wake = r.notified()
	}
	switch {
	case r.err != nil: // the session has ended: nothing more comes than is there
	case longest > size && s.assembly.try(&r.claim, longest):
		size = longest
	case !s.assembly.take(&r.claim, size):
		return false
	}
	r.grow(size)
	return true
}

// roundUp returns the least power of two that is not below n, nor below 1.
func roundUp(n int) int { return 1 << bits.Len(uint(max(n, 1)-1)) }

// grow gives dst room for size bytes.
func (r *recvHalf) grow(size int) {
	if r.memory != nil {
		r.dst = r.memory.Grow(r.dst, size)
	} else {
		r.dst = slices.Grow(r.dst, size-len(r.dst))
	}
}

// giveUp ends a Recv whose context has ended, and unlocks. What has come of a message is
// kept for the next one, with its claim.
func (r *recvHalf) giveUp(s *Session) {
	if len(r.dst) > 0 {
		r.stash, r.gaveUp = bytes.Clone(r.dst), true
		s.assembly.pause(&r.claim)
	} else {
		s.assembly.leave(&r.claim)
	}
	r.dst, r.memory = nil, nil
	r.mu.Unlock()
}
