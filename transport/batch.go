package transport

// maxBatch is how many bytes of queued frames go into one message of the link,
// unless a single frame is larger (PROTOCOL.md, section "Link messages"). An
// urgent frame waits for one batch at most.
const maxBatch = 64 << 10

// maxExcess is how many bytes of a batch may follow the first maxBatch: the end
// of the last frame, which begins before them. So a message of 64 KiB with its
// encoding around it is one message of the link. Chromium takes much longer for
// two (docs/design/transport.md).
const maxExcess = 4 << 10

// segment is a run of whole frames in a chunk.
type segment struct {
	c      *chunk
	bytes  []byte
	frames uint64
	last   int // where in bytes the last frame begins
}

// batch is the content of one message of the link. It uses its chunks until
// done.
type batch struct {
	segments []segment
	parts    [][]byte // the segments' bytes
	size     int      // bytes

	active bool   // it is being written
	number uint64 // batches that were started
	total  uint64 // bytes of them
}

// fits reports whether a segment may be added: its last frame must begin within
// the first maxBatch bytes of a message (PROTOCOL.md, section "Link messages").
func (b *batch) fits(s segment) bool {
	return b.size == 0 || b.size+len(s.bytes) <= maxBatch+maxExcess && b.size+s.last < maxBatch
}

func (b *batch) add(s segment) {
	s.c.uses++
	b.segments = append(b.segments, s)
	b.parts = append(b.parts, s.bytes)
	b.size += len(s.bytes)
}

// take moves bytes of the queue to the batch as long as they fit, and returns
// how many.
func (b *batch) take(q *chunkQueue) (size int) {
	for _, c := range q.chunks.all() {
		s := segment{c: c, bytes: c.buf[c.taken:], frames: c.frames, last: c.last - c.taken}
		if len(s.bytes) == 0 {
			continue
		}
		if !b.fits(s) {
			break
		}
		b.add(s)
		c.taken, c.frames = len(c.buf), 0
		size += len(s.bytes)
	}
	return size
}

// start says that the batch is being written.
func (b *batch) start() {
	b.active = true
	b.number++
	b.total += uint64(b.size)
}

// done empties the batch: it was written.
func (b *batch) done() {
	b.active = false
	for i := range b.segments {
		b.segments[i].c.release()
		b.segments[i] = segment{}
	}
	b.segments, b.parts, b.size = b.segments[:0], b.parts[:0], 0
}
