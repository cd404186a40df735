package transport

import "github.com/parley-rpc/parley/internal/frame"

// dataQueue holds the frames of streams that wait to be sent, in order. The
// outbox's mu guards it.
type dataQueue struct {
	limit    int // bytes that may wait
	frames   chunkQueue
	queued   int      // bytes that are not taken, and those granted to waiters
	enqueued uint64   // bytes that were ever added
	taken    uint64   // bytes that were ever taken
	waiting  waitlist // for room
}

// sizeOf returns how many bytes frames have at most.
func sizeOf(frames []outgoing) (size int) {
	for i := range frames {
		size += frame.MaxHeaderLen + len(frames[i].payload)
	}
	return size
}

// fits reports whether there is room. A frame larger than the limit fits alone.
func (q *dataQueue) fits(size int) bool { return q.queued == 0 || q.queued+size <= q.limit }

// append adds frames whether there is room or not, and returns the position
// after them.
func (q *dataQueue) append(frames []outgoing) (pos uint64) {
	for i := range frames {
		f := &frames[i]
		f.Length = uint64(len(f.payload))
		c := q.frames.grow(frame.MaxHeaderLen + len(f.payload))
		before := len(c.buf)
		c.buf = frame.AppendHeader(c.buf, f.Header)
		c.buf = append(c.buf, f.payload...)
		q.added(c, len(c.buf)-before)
	}
	return q.enqueued
}

// appendFrame adds an encoded frame.
func (q *dataQueue) appendFrame(f []byte) {
	c := q.frames.grow(len(f))
	c.buf = append(c.buf, f...)
	q.added(c, len(f))
}

// added counts a frame of n bytes that was added to a chunk.
func (q *dataQueue) added(c *chunk, n int) {
	c.frames++
	q.queued += n
	q.enqueued += uint64(n)
}

// took counts n bytes that were taken.
func (q *dataQueue) took(n int) {
	q.queued -= n
	q.taken += uint64(n)
}

func (q *dataQueue) empty() bool { return q.enqueued == q.taken }

// waitingBytes returns how many bytes are not taken.
func (q *dataQueue) waitingBytes() int { return int(q.enqueued - q.taken) }

// clear drops the frames.
func (q *dataQueue) clear() {
	q.frames.clear()
	q.queued = 0
	q.taken = q.enqueued
}
