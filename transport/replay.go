package transport

import (
	"slices"

	"github.com/parley-rpc/parley/internal/frame"
)

// replay keeps the sequenced frames that were sent and may have to be sent again:
// those that the peer has not acknowledged (PROTOCOL.md, section "Resumption").
// They stay where they were encoded; nothing is copied.
type replay struct {
	kept   fifo[segment]
	before uint64 // sequenced frames sent before those in kept
	sent   uint64 // sequenced frames sent in all
	acked  uint64 // highest number acknowledged
	size   int    // bytes in kept
}

// keep takes segments over that are about to be sent.
func (r *replay) keep(segments []segment) {
	for _, s := range segments {
		s.c.uses++
		r.kept.push(s)
		r.size += len(s.bytes)
		r.sent += s.frames
	}
}

// count books segments as sent that need not be kept.
func (r *replay) count(segments []segment) {
	for _, s := range segments {
		r.sent += s.frames
	}
	r.before, r.acked = r.sent, r.sent
}

// ack forgets the frames up to number n. It tells whether n can be: not less than
// was acknowledged before, nor more than was sent.
func (r *replay) ack(n uint64) bool {
	if n < r.acked || n > r.sent {
		return false
	}
	r.acked = n
	for r.kept.len() > 0 && r.before+r.kept.all()[0].frames <= n {
		s := r.kept.pop()
		r.before += s.frames
		r.size -= len(s.bytes)
		s.c.release()
	}
	return true
}

// again returns the frames that were sent after those acknowledged.
func (r *replay) again() []segment {
	segments := slices.Clone(r.kept.all())
	if skip := r.acked - r.before; skip > 0 {
		segments[0] = segments[0].without(skip)
	}
	return segments
}

// without returns the segment without its first n frames.
func (s segment) without(n uint64) segment {
	for ; n > 0; n-- {
		h, size, err := frame.ParseHeader(s.bytes)
		if err != nil {
			return s // cannot be: this end has encoded it
		}
		s.bytes = s.bytes[size+int(h.Length):]
		s.frames--
	}
	return s
}

// clear forgets everything.
func (r *replay) clear() {
	for _, s := range r.kept.all() {
		s.c.release()
	}
	r.kept, r.size = fifo[segment]{}, 0
	r.before, r.acked = r.sent, r.sent
}
