package transport

import "github.com/parley-rpc/parley/internal/frame"

// urgentQueue holds the frames that are sent before those of streams. The
// outbox's mu guards it.
type urgentQueue struct {
	limit       int        // bytes that may wait
	linkControl chunkQueue // not sequenced: they mean something on this link only
	priority    chunkQueue // sequenced: RESET, GOAWAY
	bytes       int        // in both, not taken
	late        chunkQueue // WINDOWs of streams whose OPEN was not taken, not sequenced
	lateBytes   int        // in late, not taken
	pong        [frame.PingLen]byte
	hasPong     bool // pong waits to be sent
}

// fits reports whether there is room for n bytes.
func (q *urgentQueue) fits(n int) bool { return q.bytes+q.lateBytes+n <= q.limit }

// append adds a frame to one of the two queues, whether there is room or not.
func (q *urgentQueue) append(to *chunkQueue, f []byte) {
	to.append(f)
	q.bytes += len(f)
}

// appendPong adds the PONG that waits, if there is one.
func (q *urgentQueue) appendPong() {
	if !q.hasPong {
		return
	}
	var b [frame.MaxHeaderLen + frame.PingLen]byte
	q.hasPong = false
	q.append(&q.linkControl, frame.Append(b[:0], frame.Header{Type: frame.TypePong}, q.pong[:]))
}

// prepend adds a frame ahead of all others.
func (q *urgentQueue) prepend(f []byte) {
	waiting := q.linkControl.chunks.all()
	q.linkControl = chunkQueue{}
	q.append(&q.linkControl, f)
	q.linkControl.chunks.push(waiting...)
}

func (q *urgentQueue) empty() bool { return q.bytes == 0 && !q.hasPong }

// dropLinkControl drops what only the last link could use.
func (q *urgentQueue) dropLinkControl() {
	for _, c := range q.linkControl.chunks.all() {
		q.bytes -= len(c.buf) - c.taken
	}
	q.linkControl.clear()
	q.late.clear()
	q.hasPong, q.lateBytes = false, 0
}

// clear drops everything.
func (q *urgentQueue) clear() {
	q.linkControl.clear()
	q.priority.clear()
	q.late.clear()
	q.bytes, q.lateBytes, q.hasPong = 0, 0, false
}
