package transport

import (
	"sync"

	"github.com/parley-rpc/parley/internal/pool"
)

// chunk is a pooled buffer to which bytes are appended and from which they are
// taken, in order. The outbox keeps encoded frames in chunks, and the inbox
// pieces of messages that were not read.
type chunk struct {
	buf    []byte // filled part; never grows beyond its capacity
	taken  int    // bytes of buf that are taken
	last   int    // where in buf the last frame of the outbox begins
	frames uint64 // in what is not taken; the outbox counts them
	uses   int    // by a batch, or by frames that may be sent again
	popped bool   // removed from its queue: the last use frees it
}

// chunkSizes are the capacities of pooled chunks in bytes. A queue starts with
// a small chunk, so that a few bytes do not hold much memory, and continues
// with larger ones. The largest has the size of a batch.
var chunkSizes = [...]int{512, 4 << 10, 16 << 10, largestChunk}

const largestChunk = maxBatch + maxExcess

var (
	chunkPools  [len(chunkSizes) - 1]sync.Pool
	largeChunks = pool.New[chunk](largestChunk)
)

// newChunk returns an empty chunk that has room for n bytes.
func newChunk(n int) *chunk {
	for i, size := range chunkSizes {
		if n > size {
			continue
		}
		if c := pooledChunk(i); c != nil {
			return c
		}
		return &chunk{buf: make([]byte, 0, size)}
	}
	return &chunk{buf: make([]byte, 0, n)} // for one frame with a very large header
}

// pooledChunk returns an empty chunk of chunkSizes[i], or nil if there is none.
func pooledChunk(i int) *chunk {
	if i == len(chunkPools) {
		return largeChunks.Get()
	}
	c, _ := chunkPools[i].Get().(*chunk)
	return c
}

func (c *chunk) free() {
	for i, size := range chunkSizes {
		if cap(c.buf) != size {
			continue
		}
		*c = chunk{buf: c.buf[:0]}
		if i == len(chunkPools) {
			largeChunks.Put(c)
		} else {
			chunkPools[i].Put(c)
		}
		return
	}
}

func (c *chunk) room() int { return cap(c.buf) - len(c.buf) }

// release ends one use.
func (c *chunk) release() {
	if c.uses--; c.uses == 0 && c.popped {
		c.free()
	}
}

// chunkQueue is a first-in first-out queue of bytes.
type chunkQueue struct {
	chunks fifo[*chunk]
}

// grow returns the chunk at the end of the queue, which has room for n bytes
// within a batch.
func (q *chunkQueue) grow(n int) *chunk {
	if chunks := q.chunks.all(); len(chunks) > 0 {
		last := chunks[len(chunks)-1]
		if last.room() >= n && len(last.buf) < maxBatch {
			return last
		}
		n = max(n, min(4*cap(last.buf), chunkSizes[len(chunkSizes)-1]))
	}
	c := newChunk(n)
	q.chunks.push(c)
	return c
}

// append adds an encoded frame.
func (q *chunkQueue) append(f []byte) {
	c := q.grow(len(f))
	c.last = len(c.buf)
	c.buf = append(c.buf, f...)
	c.frames++
}

// front returns the first chunk, or nil if the queue is empty.
func (q *chunkQueue) front() *chunk {
	if chunks := q.chunks.all(); len(chunks) > 0 {
		return chunks[0]
	}
	return nil
}

// pop removes the first chunk, and frees it unless it is in use.
func (q *chunkQueue) pop() {
	c := q.chunks.pop()
	if c.popped = true; c.uses == 0 {
		c.free()
	}
}

// popTaken pops the chunks of which everything is taken. The last chunk stays,
// to be filled further, if it is in use anyway.
func (q *chunkQueue) popTaken() {
	for c := q.front(); c != nil && c.taken == len(c.buf); c = q.front() {
		if c.uses > 0 && q.chunks.len() == 1 && c.room() > cap(c.buf)/4 {
			return
		}
		q.pop()
	}
}

// clear pops all chunks.
func (q *chunkQueue) clear() {
	for q.chunks.len() > 0 {
		q.pop()
	}
}
