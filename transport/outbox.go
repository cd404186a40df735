package transport

import (
	"runtime"
	"sync"

	"github.com/parley-rpc/parley/internal/frame"
)

// maxBatch is how many bytes of queued frames go into one message of the link,
// unless a single frame has more (PROTOCOL.md, section "Link messages"). What is
// urgent waits behind one batch at the most.
const maxBatch = 64 << 10

// outbox is the write queue of a session: frames of streams in order, bounded,
// and urgent frames, which go ahead of them. A writer takes them, batch by batch,
// for one link after the other.
type outbox struct {
	limit       int // bytes of data that may wait
	urgentLimit int // bytes of urgent frames that may wait
	replayLimit int // bytes that may be kept to be sent again

	mu     sync.Mutex
	writer *attachment // whose writer may take; nil while there is no link, or before HELLO

	passing  chunkQueue // urgent frames that are not sequenced: they mean something on this link only
	priority chunkQueue // urgent frames that are sequenced: RESET, GOAWAY
	alarmed  int        // bytes in passing and priority that are not taken
	pong     [frame.PingLen]byte
	hasPong  bool

	data     chunkQueue
	queued   int      // bytes in data that are not taken, and those granted to waiters
	enqueued uint64   // bytes that data has ever been given
	taken    uint64   // bytes that were ever taken of it
	waiting  waitlist // for room in data

	keeps   bool      // what is sent is kept until it is acknowledged
	largest int       // bytes of the largest that was put at once, which may be more than replayLimit
	replay  replay    // what is kept
	again   []segment // of that, what is yet to be sent on this link
	batch   batch     // what is being written
	batches uint64    // how many were taken
	sent    uint64    // bytes of them
	writing bool
	settled chan struct{} // closed when nothing is left to do; nil while nobody waits for that

	err      error // why nothing more is accepted
	draining bool  // what is queued is still written
}

func newOutbox(cfg *Config, side Side) *outbox {
	return &outbox{
		limit: cfg.WriteQueue,
		// Every urgent frame answers something that the peer has done or belongs
		// to a stream: a bound that is generous for both.
		urgentLimit: 64<<10 + 64*cfg.MaxStreams,
		replayLimit: cfg.ReplayLimit,
		keeps:       cfg.resumes(side),
	}
}

// outgoing is a frame to be queued. Its header's Length is filled in.
type outgoing struct {
	frame.Header
	payload []byte
}

// completes tells whether the frame is the last of a message, or of a direction.
func (f *outgoing) completes() bool {
	return f.Type == frame.TypeEnd || f.Type == frame.TypeData && f.Flags&frame.FlagMore == 0
}

// place is what has become of frames that were to be queued.
type place struct {
	pos    uint64      // in the outbox, behind them
	wait   *waiter     // there was no room: what to wait for. Then putGranted or giveUp has to follow
	inline *attachment // the caller must write the frames, with writeInline; nil: the writer does
}

// put queues frames of a stream, all or none.
func (o *outbox) put(mode writeMode, frames ...outgoing) (place, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return place{}, o.err
	}
	size := sizeOf(frames)
	if !o.waiting.empty() || !o.fits(size) {
		return place{wait: o.waiting.add(size)}, nil
	}
	o.largest = max(o.largest, size)
	pos := o.append(frames)
	if mode == inline && o.mayWriteInline() {
		o.writer.writing = true
		return place{pos: pos, inline: o.writer}, nil
	}
	o.wake()
	return place{pos: pos}, nil
}

// putGranted queues frames for which room was granted.
func (o *outbox) putGranted(w *waiter, frames ...outgoing) (pos uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.queued -= w.size
	o.largest = max(o.largest, w.size)
	defer o.wake()
	return o.append(frames), nil
}

// sizeOf returns how many bytes frames have at the most.
func sizeOf(frames []outgoing) (size int) {
	for i := range frames {
		size += frame.MaxHeaderLen + len(frames[i].payload)
	}
	return size
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

// fits tells whether there is room. A frame larger than a limit has to go alone.
func (o *outbox) fits(size int) bool {
	kept := o.queued + o.replay.size
	return (o.queued == 0 || o.queued+size <= o.limit) && (kept == 0 || !o.keeps || kept+size <= o.replayLimit)
}

func (o *outbox) grantRoom() {
	o.waiting.grant(func(size int) bool {
		ok := o.fits(size)
		if ok {
			o.queued += size
		}
		return ok
	})
}

// append queues frames whether there is room or not.
func (o *outbox) append(frames []outgoing) (pos uint64) {
	for i := range frames {
		f := &frames[i]
		f.Length = uint64(len(f.payload))
		c := o.data.grow(frame.MaxHeaderLen + len(f.payload))
		before := len(c.buf)
		c.buf = frame.AppendHeader(c.buf, f.Header)
		c.buf = append(c.buf, f.payload...)
		o.appended(c, len(c.buf)-before)
	}
	return o.enqueued
}

// appended books n bytes that a frame has added to data.
func (o *outbox) appended(c *chunk, n int) {
	c.frames++
	o.queued += n
	o.enqueued += uint64(n)
}

// putPassing queues a whole frame ahead of all others that is not sequenced. A
// peer that provokes more of them than it reads gets errFlood.
func (o *outbox) putPassing(f []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.alarm(&o.passing, f)
}

// putPriority queues a whole sequenced frame ahead of all data.
func (o *outbox) putPriority(f []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.alarm(&o.priority, f)
}

func (o *outbox) alarm(q *chunkQueue, f []byte) error {
	switch {
	case o.err != nil:
		return o.err
	case o.alarmed+len(f) > o.urgentLimit:
		return errFlood
	case o.keeps && o.replay.size+o.alarmed+len(f) > 2*o.replayLimit+o.largest:
		return errUnacknowledged
	}
	o.urge(q, f)
	return nil
}

// urge queues an urgent frame whether there is room or not.
func (o *outbox) urge(q *chunkQueue, f []byte) {
	c := q.grow(len(f))
	c.buf = append(c.buf, f...)
	c.frames++
	o.alarmed += len(f)
	o.wake()
}

// putPong answers a PING. Of several that wait, only the newest is answered.
func (o *outbox) putPong(opaque [frame.PingLen]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pong, o.hasPong = opaque, true
	o.wake()
}

// attach has a writer begin, with a frame of its own ahead of everything.
func (o *outbox) attach(a *attachment, first []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := o.passing.chunks.all()
	o.passing = chunkQueue{}
	o.urge(&o.passing, first) // also if the session is ending: what is queued may follow
	o.passing.chunks.push(waiting...)
	o.writer = a
	o.wake()
}

// detach has a's writer take nothing more: its link is lost.
func (o *outbox) detach(a *attachment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writer == a {
		o.wake() // to be sent away
		o.writer = nil
	}
}

// wake has the writer see to it that there is something to take, or that it is sent
// away; mu is held. It has a goroutine only while it does.
func (o *outbox) wake() {
	if o.writer != nil && !o.writer.writing {
		o.writer.writing = true
		o.writer.startWriter()
	}
}

// rewind prepares for a link on which the peer says that it has received n
// sequenced frames, and tells whether that can be. No writer is at work.
func (o *outbox) rewind(n uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.replay.ack(n) {
		return false
	}
	o.dropAgain()
	o.again = o.replay.again()
	for _, s := range o.again {
		s.c.uses++
	}
	for _, c := range o.passing.chunks.all() {
		o.alarmed -= len(c.buf) - c.taken
	}
	o.passing.clear()
	o.hasPong = false
	o.grantRoom()
	return true
}

func (o *outbox) dropAgain() {
	for _, s := range o.again {
		s.c.release()
	}
	o.again = nil
}

// disableReplay ends keeping: the two ends do not resume.
func (o *outbox) disableReplay() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keeps = false
	o.replay.clear()
	o.data.popTaken()
	o.priority.popTaken()
	o.grantRoom()
	o.noteSettled()
}

// ack forgets what the peer has acknowledged, and tells whether it can have.
func (o *outbox) ack(n uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.keeps {
		return true
	}
	ok := o.replay.ack(n)
	o.data.popTaken()
	o.priority.popTaken()
	o.grantRoom()
	o.noteSettled()
	return ok
}

func (o *outbox) empty() bool {
	return o.enqueued == o.taken && o.alarmed == 0 && !o.hasPong && len(o.again) == 0
}

// take is takeNow, but lets others add to the batch before. It returns none when there
// is nothing to take for now: then wake starts the writer again.
func (o *outbox) take(a *attachment) ([][]byte, error) {
	if o.rest(a) {
		return nil, nil
	}
	// Whoever is ready to add to the batch does so now: with many callers this
	// one yield more than doubles throughput (docs/design/transport.md).
	runtime.Gosched()
	return o.takeNow(a)
}

// rest ends a's writing until wake, if there is nothing to be done, and tells whether it has.
func (o *outbox) rest(a *attachment) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	idle := o.writer == a && o.empty() && o.err == nil
	if idle {
		a.writing = false
	}
	return idle
}

// takeNow returns the parts of the next batch of frames, which stay valid until written
// is called. It returns an error when there is nothing left to do for a.
func (o *outbox) takeNow(a *attachment) ([][]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil && (!o.draining || o.empty()):
		return nil, o.err
	case o.writer != a:
		return nil, errDetached
	}
	o.takeBatch()
	o.batches++
	o.sent += uint64(o.batch.size)
	o.writing = true
	o.grantRoom()
	return o.batch.parts, nil
}

// takeBatch fills the batch: what is urgent, what is to be sent again, the rest.
func (o *outbox) takeBatch() {
	if o.hasPong {
		var b [frame.MaxHeaderLen + frame.PingLen]byte
		o.hasPong = false
		o.urge(&o.passing, frame.Append(b[:0], frame.Header{Type: frame.TypePong}, o.pong[:]))
	}
	o.alarmed -= o.batch.take(&o.passing)
	for len(o.again) > 0 && o.batch.fits(len(o.again[0].bytes)) {
		s := o.again[0]
		o.batch.add(s)
		s.c.release()
		o.again = o.again[1:]
	}
	if len(o.again) > 0 {
		return
	}
	fresh := len(o.batch.segments)
	o.alarmed -= o.batch.take(&o.priority)
	if o.alarmed == 0 { // an OPEN must not overtake the RESETs that have made room for it
		data := o.batch.take(&o.data)
		o.queued -= data
		o.taken += uint64(data)
	}
	if o.keeps {
		o.replay.keep(o.batch.segments[fresh:])
	} else {
		o.replay.count(o.batch.segments[fresh:])
	}
}

// written says that the batch taken last is no longer in use.
func (o *outbox) written() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = false
	o.batch.done()
	o.passing.popTaken()
	o.priority.popTaken()
	o.data.popTaken()
	o.noteSettled()
}

// hasWriter reports whether a has a writer, which closes the link of an ended session.
func (o *outbox) hasWriter(a *attachment) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writer == a
}

// writingBatch returns the number of the batch that is being written, 0 if none
// is.
func (o *outbox) writingBatch() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.writing {
		return 0
	}
	return o.batches
}

// unsent tells how many bytes wait here to be sent or acknowledged.
func (o *outbox) unsent() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.replay.size + int(o.enqueued-o.taken) + o.alarmed
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
	o.wake()
}

// discard drops what is queued: nothing more is written. What is being written
// stays until its writer is done with it.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.draining = false
	o.dropAgain()
	o.replay.clear()
	o.data.clear()
	o.priority.clear()
	o.passing.clear()
	o.queued, o.alarmed, o.hasPong = 0, 0, false
	o.taken = o.enqueued
	o.wake()
}
