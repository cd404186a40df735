package transport

import (
	"math"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// replay keeps the sequenced frames that were sent and may have to be sent
// again: those that the peer has not acknowledged (PROTOCOL.md, section
// "Resumption"). They stay where they were encoded; nothing is copied. The
// outbox's mu guards it.
type replay struct {
	enabled bool // false: frames are counted and not kept
	room    replayRoom
	largest int // bytes of the largest put, which may be more than there is room
	path    path

	kept    fifo[segment]
	size    int       // bytes in kept
	before  uint64    // sequenced frames sent before those in kept
	sent    uint64    // sequenced frames sent in all
	acked   uint64    // the highest number acknowledged
	pending []segment // of those in kept, the ones not sent on this link yet
}

func newReplay(cfg *Config, enabled bool) replay {
	return replay{
		enabled: enabled,
		room:    replayRoom{own: cfg.ReplayLimit, shared: cfg.ReplayBudget},
		path:    path{initial: 2 * cfg.ReplayLimit, most: cfg.MaxReplay},
	}
}

// fits reports whether size more bytes may be queued, while queued bytes wait
// to be sent: the path takes them, and there is room to keep them. Frames
// larger than the limit fit alone.
func (r *replay) fits(queued, size int) bool {
	held := queued + r.size
	if held == 0 || !r.enabled {
		return true
	}
	held += size
	return held <= min(minLimit, r.room.own) || held <= r.path.limit() && r.room.reserve(held)
}

// left returns how many more bytes may be queued, as far as the path goes.
func (r *replay) left(queued int) int {
	if !r.enabled {
		return math.MaxInt
	}
	return max(min(minLimit, r.room.own), r.path.limit()) - queued - r.size
}

// fitsUrgent reports whether so many bytes of urgent frames may wait.
func (r *replay) fitsUrgent(bytes int) bool {
	return !r.enabled || r.size+bytes <= 2*r.room.size()+r.largest
}

// noteSize records that frames of size bytes are queued at once.
func (r *replay) noteSize(size int) { r.largest = max(r.largest, size) }

// sentNow records segments that are about to be sent for the first time.
// limited says that the application has no more to send.
func (r *replay) sentNow(segments []segment, limited bool) {
	if r.enabled {
		before := r.size
		r.keep(segments)
		switch n := r.size - before; {
		case n == 0:
		case r.path.wantsMark(n):
			r.path.sendMarked(time.Now(), n, limited)
		default:
			r.path.send(n)
		}
		return
	}
	for _, s := range segments {
		r.sent += s.frames
	}
	r.before, r.acked = r.sent, r.sent
}

// keep keeps segments.
func (r *replay) keep(segments []segment) {
	for _, s := range segments {
		s.c.uses++
		r.kept.push(s)
		r.size += len(s.bytes)
		r.sent += s.frames
	}
}

// ackNow is ack, and learns about the path.
func (r *replay) ackNow(n uint64) bool {
	before := r.size
	ok := r.ack(n)
	switch acked := before - r.size; {
	case acked == 0:
	case r.path.hasMarks():
		r.path.ackMarked(time.Now(), acked)
	default:
		r.path.ack(acked)
	}
	return ok
}

// ack drops the frames up to number n. It reports whether n is possible: not
// less than was acknowledged before, nor more than was sent.
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
	r.room.giveBack(r.size)
	return true
}

// rewind makes pending what was sent after frame n, which is the last that the
// peer has received. It reports whether n is possible.
func (r *replay) rewind(n uint64) bool {
	if !r.ack(n) {
		return false
	}
	r.path.restart(r.size)
	r.dropPending()
	r.pending = r.unacked()
	for _, s := range r.pending {
		s.c.uses++
	}
	return true
}

// unacked returns the frames that were sent after those acknowledged.
func (r *replay) unacked() []segment {
	segments := slices.Clone(r.kept.all())
	if skip := r.acked - r.before; skip > 0 {
		segments[0] = segments[0].without(skip)
	}
	return segments
}

// retransmit moves pending frames to a batch, and reports whether none are
// left.
func (r *replay) retransmit(b *batch) bool {
	for len(r.pending) > 0 && b.fits(r.pending[0]) {
		s := r.pending[0]
		b.add(s)
		s.c.release()
		r.pending = r.pending[1:]
	}
	return len(r.pending) == 0
}

func (r *replay) dropPending() {
	for _, s := range r.pending {
		s.c.release()
	}
	r.pending = nil
}

// without returns the segment without its first n frames.
func (s segment) without(n uint64) segment {
	for ; n > 0; n-- {
		h, size, err := frame.ParseHeader(s.bytes)
		if err != nil {
			return s // impossible: this end has encoded it
		}
		size += int(h.Length)
		s.bytes = s.bytes[size:]
		s.last -= size
		s.frames--
	}
	return s
}

// clear drops what is kept.
func (r *replay) clear() {
	for _, s := range r.kept.all() {
		s.c.release()
	}
	r.kept, r.size = fifo[segment]{}, 0
	r.before, r.acked = r.sent, r.sent
	r.path.restart(0)
	r.room.giveBack(0)
}
