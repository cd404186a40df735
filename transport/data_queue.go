package transport

import "github.com/parley-rpc/parley/internal/frame"

// maxLight is the size in bytes of the largest frame that is light.
const maxLight = 4 << 10

// maxLightAhead is how many bytes of light frames are sent one after the other
// while heavy ones wait.
const maxLightAhead = 64 << 10

// dataQueue holds the frames of streams that wait to be sent. Small frames of
// streams that are not busy, and have no heavy ones waiting, are light: they go
// ahead of all heavy ones, so that a small call does not wait for a download,
// nor for streams that send small messages without end. The frames of one
// stream stay in order, and so do OPENs among themselves and behind the ends of
// streams: the next stream may need the place of the last. The outbox's mu
// guards it.
type dataQueue struct {
	limit   int // bytes that may wait
	quantum int // bytes of small frames that a stream may queue when it is its turn
	light   lane
	heavy   lane
	queued  int // bytes that are not taken, and those granted to waiters

	promised int    // bytes of quanta that were given since the last batch, and are not used
	batches  uint64 // that were taken

	ordered uint64 // the offset in heavy of the last OPEN or end of a stream
	large   uint64 // the offset in heavy of the last large frame
	ahead   int    // bytes of light frames taken since a heavy one was

	lightWaiting waitlist  // for room
	heavyWaiting fairQueue // for room
	largeWaiting int       // large frames in it, or granted
}

func newDataQueue(limit, replayLimit int) dataQueue {
	quantum := min(maxQuantum, limit/8, replayLimit/16)
	return dataQueue{limit: limit, quantum: quantum, heavyWaiting: fairQueue{lag: uint64(min(maxBatch, limit/2))}}
}

// lane is a queue of frames in order.
type lane struct {
	frames   chunkQueue
	enqueued uint64 // bytes that were ever added
	taken    uint64 // bytes that were ever taken
	awaited  uint64 // the offset of the last frame that a WINDOW must not overtake
}

func (l *lane) empty() bool { return l.enqueued == l.taken }

// position says where a frame ends: in one of the two lanes, at an offset.
type position uint64

func (q *dataQueue) positionIn(l *lane) position {
	p := position(l.enqueued) << 1
	if l == &q.heavy {
		p |= 1
	}
	return p
}

// laneOf returns the lane of a position, and the offset in it.
func (q *dataQueue) laneOf(p position) (*lane, uint64) {
	if p&1 != 0 {
		return &q.heavy, uint64(p >> 1)
	}
	return &q.light, uint64(p >> 1)
}

// isTaken reports whether the frame that ends at p was taken.
func (q *dataQueue) isTaken(p position) bool {
	l, offset := q.laneOf(p)
	return offset <= l.taken
}

// await records that a frame must not overtake the one that ends at p.
func (q *dataQueue) await(p position) {
	l, offset := q.laneOf(p)
	l.awaited = max(l.awaited, offset)
}

// awaitedTaken reports whether all frames of await were taken.
func (q *dataQueue) awaitedTaken() bool {
	return q.light.awaited <= q.light.taken && q.heavy.awaited <= q.heavy.taken
}

// turn is what a stream has had of the queue.
type turn struct {
	heavyEnd uint64 // the offset in the heavy lane of its last frame there
	finish   uint64 // as in fairQueue
	busy     bool   // as in isBusy
	quantum  quantum
}

// sizeOf returns how many bytes frames have at most.
func sizeOf(frames []outgoing) (size int) {
	for i := range frames {
		size += frame.MaxHeaderLen + len(frames[i].payload)
	}
	return size
}

// laneFor returns the lane for frames of a stream.
func (q *dataQueue) laneFor(t *turn, size int, frames []outgoing) *lane {
	switch {
	case size > maxLight,
		t.heavyEnd > q.heavy.taken, // it must not overtake its own
		q.isBusy(t),
		q.ahead >= maxLightAhead && !q.heavy.empty(),
		frames[0].Type == frame.TypeOpen && q.ordered > q.heavy.taken:
		return &q.heavy
	}
	return &q.light
}

// fits reports whether there is room. A frame larger than the limit fits alone.
func (q *dataQueue) fits(size int) bool { return q.queued == 0 || q.queued+size <= q.limit }

// append adds frames of a stream whether there is room or not, and returns the
// position after them.
func (q *dataQueue) append(l *lane, t *turn, frames []outgoing) position {
	for i := range frames {
		f := &frames[i]
		f.Length = uint64(len(f.payload))
		c := l.frames.grow(frame.MaxHeaderLen + len(f.payload))
		before := len(c.buf)
		c.last = before
		c.buf = frame.AppendHeader(c.buf, f.Header)
		c.buf = append(c.buf, f.payload...)
		q.added(l, c, len(c.buf)-before)
		if l == &q.heavy && (f.Type == frame.TypeOpen || f.ends()) {
			q.ordered = l.enqueued
		}
		if l == &q.heavy && frame.MaxHeaderLen+len(f.payload) > maxLight {
			q.large = l.enqueued
		}
	}
	if l == &q.heavy {
		t.heavyEnd = l.enqueued
	}
	return q.positionIn(l)
}

// appendFrame adds an encoded frame.
func (q *dataQueue) appendFrame(l *lane, f []byte) {
	l.frames.append(f)
	q.queued += len(f)
	l.enqueued += uint64(len(f))
}

// added counts a frame of n bytes that was added to a chunk.
func (q *dataQueue) added(l *lane, c *chunk, n int) {
	c.frames++
	q.queued += n
	l.enqueued += uint64(n)
}

// take moves frames to a batch, as long as they fit: all light ones first.
func (q *dataQueue) take(b *batch) {
	light := b.take(&q.light.frames)
	q.light.taken += uint64(light)
	q.ahead += light
	heavy := 0
	if q.light.empty() {
		heavy = b.take(&q.heavy.frames)
		q.heavy.taken += uint64(heavy)
	}
	if heavy > 0 || q.heavy.empty() {
		q.ahead = 0
	}
	q.queued -= light + heavy
}

// overtakes reports whether frames for a lane are a small message that goes ahead
// of large ones of other streams, or the message of a call that goes ahead of
// busy streams.
func (q *dataQueue) overtakes(l *lane, t *turn, frames []outgoing) bool {
	last := &frames[len(frames)-1]
	switch {
	case l == &q.heavy || t.heavyEnd > 0 || !last.completes():
		return false
	case frames[0].Type == frame.TypeOpen || last.ends():
		return !q.heavy.empty() || q.heavyWaiting.len() > 0
	}
	return q.large > q.heavy.taken || q.largeWaiting > 0
}

func (q *dataQueue) empty() bool { return q.light.empty() && q.heavy.empty() }

// waits reports whether a goroutine waits for room.
func (q *dataQueue) waits() bool { return q.waiters() > 0 }

// waiters returns how many goroutines wait for room.
func (q *dataQueue) waiters() int { return q.lightWaiting.len() + q.heavyWaiting.len() }

// waitingBytes returns how many bytes are not taken.
func (q *dataQueue) waitingBytes() int {
	return int(q.light.enqueued-q.light.taken) + int(q.heavy.enqueued-q.heavy.taken)
}

// popTaken frees what was taken.
func (q *dataQueue) popTaken() {
	q.light.frames.popTaken()
	q.heavy.frames.popTaken()
}

// noteLargeWaiter counts a waiter if it is for a large frame.
func (q *dataQueue) noteLargeWaiter(w *waiter, n int) {
	if w.size > maxLight {
		q.largeWaiting += n
	}
}

// clear drops the frames.
func (q *dataQueue) clear() {
	q.light.clear()
	q.heavy.clear()
	q.queued = 0
}

func (l *lane) clear() {
	l.frames.clear()
	l.taken = l.enqueued
}
