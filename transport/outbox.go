package transport

import (
	"runtime"
	"sync"

	"github.com/parley-rpc/parley/transport/frame"
)

// maxBatch is how many bytes of queued frames go into one message of the link,
// unless a single frame has more (PROTOCOL.md, section "Link messages"). What is
// urgent waits behind one batch at the most.
const maxBatch = 64 << 10

// outbox is the write queue of a session: frames of streams in order, bounded,
// and urgent frames, which go ahead of them.
type outbox struct {
	limit       int // bytes of data that may wait
	urgentLimit int // bytes of urgent frames that may wait

	mu       sync.Mutex
	ready    sync.Cond // the writer waits for frames, or for err
	held     bool      // nothing is written before this end's HELLO, which greet queues
	urgent   chunkQueue
	alarmed  int // bytes in urgent that are not taken
	pong     [frame.PingLen]byte
	hasPong  bool
	data     chunkQueue
	queued   int      // bytes in data that are not taken, and those granted to waiters
	enqueued uint64   // bytes that data has ever been given
	taken    uint64   // bytes that were ever taken of it
	writes   uint64   // batches taken
	writing  bool     // a batch is at the link
	waiting  waitlist // for room in data
	err      error    // why nothing more is accepted
	draining bool     // what is queued is still written
}

func newOutbox(cfg *Config) *outbox {
	// Every urgent frame answers something that the peer has done or belongs to
	// a stream: a bound that is generous for both.
	o := &outbox{limit: cfg.WriteQueue, urgentLimit: 64<<10 + 64*cfg.MaxStreams}
	o.ready.L = &o.mu
	return o
}

// put queues a frame of a stream and returns the position behind it. If there is
// no room it queues nothing and returns what to wait for: then putGranted or
// giveUp has to follow.
func (o *outbox) put(h frame.Header, payload []byte) (pos uint64, w *waiter, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, nil, o.err
	}
	size := frame.MaxHeaderLen + len(payload)
	if !o.waiting.empty() || !o.fits(size) {
		return 0, o.waiting.add(size), nil
	}
	return o.append(h, payload), nil, nil
}

// putGranted queues a frame for which room was granted.
func (o *outbox) putGranted(w *waiter, h frame.Header, payload []byte) (pos uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.queued -= w.size
	return o.append(h, payload), nil
}

// giveUp ends waiting for room.
func (o *outbox) giveUp(w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting.leave(w) {
		o.queued -= w.size
	}
	o.grantRoom()
}

// fits tells whether there is room: a frame larger than the limit has to go alone.
func (o *outbox) fits(size int) bool { return o.queued == 0 || o.queued+size <= o.limit }

func (o *outbox) grantRoom() {
	o.waiting.grant(func(size int) bool {
		ok := o.fits(size)
		if ok {
			o.queued += size
		}
		return ok
	})
}

// append queues a frame whether there is room or not.
func (o *outbox) append(h frame.Header, payload []byte) (pos uint64) {
	h.Length = uint64(len(payload))
	c := o.data.grow(frame.MaxHeaderLen + len(payload))
	before := len(c.buf)
	c.buf = frame.AppendHeader(c.buf, h)
	c.buf = append(c.buf, payload...)
	n := len(c.buf) - before
	o.queued += n
	o.enqueued += uint64(n)
	o.ready.Signal()
	return o.enqueued
}

// putUrgent queues whole encoded frames ahead of all data. They are few: a peer
// that provokes more of them than it reads gets errFlood.
func (o *outbox) putUrgent(frames []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if o.alarmed+len(frames) > o.urgentLimit {
		return errFlood
	}
	o.alarm(frames)
	return nil
}

func (o *outbox) alarm(frames []byte) {
	c := o.urgent.grow(len(frames))
	c.buf = append(c.buf, frames...)
	o.alarmed += len(frames)
	o.ready.Signal()
}

// greet queues this end's HELLO ahead of everything and lets the writer begin.
func (o *outbox) greet(hello []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := o.urgent.chunks
	o.urgent.chunks = nil
	o.alarm(hello)
	o.urgent.chunks = append(o.urgent.chunks, waiting...)
	o.held = false
}

// lastWord is the RESET of a stream.
type lastWord struct {
	stream uint64
	own    bool   // this end has opened the stream
	behind uint64 // the position of what must come first
	code   ResetCode
	reason string
}

// putReset queues a RESET: ahead of data, but never ahead of its stream's OPEN or
// END. When many wait, reasons are left out: an application that gives many
// streams up at once must not look like a peer that provokes answers.
func (o *outbox) putReset(r lastWord) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if o.alarmed > o.urgentLimit/2 {
		r.reason = ""
	}
	b := frame.AppendReset(make([]byte, 0, frame.MaxHeaderLen+16+len(r.reason)), r.stream, uint64(r.code), r.reason)
	full := o.alarmed+len(b) > o.urgentLimit
	switch {
	case r.behind > o.taken, full && r.own: // of the peer's streams there is no end, of our own there is
		c := o.data.grow(len(b))
		c.buf = append(c.buf, b...)
		o.queued += len(b)
		o.enqueued += uint64(len(b))
		o.ready.Signal()
	case full:
		return errFlood
	default:
		o.alarm(b)
	}
	return nil
}

// putPong answers a PING. Of several that wait, only the newest is answered.
func (o *outbox) putPong(opaque [frame.PingLen]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pong, o.hasPong = opaque, true
	o.ready.Signal()
}

func (o *outbox) empty() bool {
	return o.held || o.enqueued == o.taken && o.alarmed == 0 && !o.hasPong
}

// take waits for frames and returns the next batch of them, appended to parts.
// The batch stays valid until written is called.
func (o *outbox) take(parts [][]byte) ([][]byte, error) {
	o.mu.Lock()
	for o.empty() && o.err == nil {
		o.ready.Wait()
	}
	o.mu.Unlock()
	// Whoever is ready to add to the batch does so now: with many callers this
	// one yield more than doubles throughput (docs/design/transport.md).
	runtime.Gosched()

	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil && (!o.draining || o.empty()) {
		return nil, o.err
	}
	if o.hasPong {
		var b [frame.MaxHeaderLen + frame.PingLen]byte
		o.alarm(frame.Append(b[:0], frame.Header{Type: frame.TypePong}, o.pong[:]))
		o.hasPong = false
	}
	parts, urgent := o.urgent.takeParts(parts, maxBatch)
	parts, data := o.data.takeParts(parts, maxBatch-urgent)
	o.alarmed -= urgent
	o.queued -= data
	o.taken += uint64(data)
	o.writes++
	o.writing = true
	o.grantRoom()
	return parts, nil
}

// written says that the batch taken last is no longer in use.
func (o *outbox) written() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = false
	o.urgent.freeTaken()
	o.data.freeTaken()
}

// progress tells the number of the batch being written and whether one is.
func (o *outbox) progress() (batch uint64, writing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writes, o.writing
}

// close accepts nothing more, with err for those who try. The writer still
// writes what is queued.
func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
		o.draining = true
	}
	o.waiting.dismiss()
	o.ready.Signal()
}

// discard drops what is queued: nothing more is written. What is being written
// stays until the writer, which discards once more at its end, is done with it.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.draining = false
	if o.writing {
		return
	}
	o.data.clear()
	o.urgent.clear()
	o.queued, o.alarmed, o.hasPong = 0, 0, false
	o.taken = o.enqueued
}
