package transport

// segment is a run of whole frames in a chunk, as it is written.
type segment struct {
	c      *chunk
	bytes  []byte
	frames uint64
}

// batch is what one message of the link carries. It uses its chunks until done.
type batch struct {
	segments []segment
	parts    [][]byte // the segments' bytes
	size     int      // bytes
}

// fits tells whether n more bytes may be added: a frame begins within the first
// maxBatch bytes of a message (PROTOCOL.md, section "Link messages").
func (b *batch) fits(n int) bool { return b.size == 0 || b.size+n <= maxBatch }

func (b *batch) add(s segment) {
	s.c.uses++
	b.segments = append(b.segments, s)
	b.parts = append(b.parts, s.bytes)
	b.size += len(s.bytes)
}

// take moves what is not taken of the queue's chunks to the batch, as far as it
// fits, and tells how many bytes that was.
func (b *batch) take(q *chunkQueue) (size int) {
	for _, c := range q.chunks.all() {
		n := len(c.buf) - c.taken
		if n == 0 {
			continue
		}
		if !b.fits(n) {
			break
		}
		b.add(segment{c: c, bytes: c.buf[c.taken:], frames: c.frames})
		c.taken, c.frames = len(c.buf), 0
		size += n
	}
	return size
}

// done ends the use of what the batch carries.
func (b *batch) done() {
	for i := range b.segments {
		b.segments[i].c.release()
		b.segments[i] = segment{}
	}
	b.segments, b.parts, b.size = b.segments[:0], b.parts[:0], 0
}
