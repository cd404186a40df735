package transport

import (
	"errors"
	"sync"

	"github.com/parley-rpc/parley/internal/frame"
)

// outbox is the write queue of a session: the frames of streams in order,
// bounded, and urgent frames, which are sent before them. A writer takes them
// in batches, for one link after the other.
type outbox struct {
	mu     sync.Mutex
	writer *attachment // whose writer may take; nil while there is no link, or before HELLO

	urgent urgentQueue
	data   dataQueue
	replay replay // what was sent and may have to be sent again
	batch  batch  // what is being written

	settled  chan struct{} // closed when isSettled is true; nil while nothing waits for that
	err      error         // why it accepts nothing more
	draining bool          // it writes what is queued nevertheless
}

func newOutbox(cfg *Config, side Side) *outbox {
	return &outbox{
		data: newDataQueue(cfg.WriteQueue, cfg.ReplayLimit),
		// Every urgent frame answers something that the peer has done or
		// belongs to a stream: a bound that is generous for both.
		urgent: urgentQueue{limit: 64<<10 + 64*cfg.MaxStreams},
		replay: newReplay(cfg, cfg.resumes(side)),
	}
}

// outgoing is a frame to be queued. The outbox sets its header's Length.
type outgoing struct {
	frame.Header
	payload []byte
}

// completes reports whether the frame is the last of a message or of a
// direction.
func (f *outgoing) completes() bool {
	return f.Type == frame.TypeEnd || f.Type == frame.TypeData && f.Flags&frame.FlagMore == 0
}

// continues reports whether the next piece of the same message follows.
func (f *outgoing) continues() bool { return f.Type == frame.TypeData && f.Flags&frame.FlagMore != 0 }

// ends reports whether the frame is the last of a direction.
func (f *outgoing) ends() bool {
	return f.Type == frame.TypeEnd || f.Type == frame.TypeData && f.Flags&frame.FlagEnd != 0
}

// putResult is what has become of frames that were to be queued.
type putResult struct {
	pos    position    // in the outbox, after them
	wait   *waiter     // non-nil: there is no room yet. putGranted or giveUp must follow
	inline *attachment // non-nil: the caller must write the frames, by writeInline
}

// put queues frames of a stream, all or none.
func (o *outbox) put(mode writeMode, t *turn, frames ...outgoing) (putResult, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return putResult{}, o.err
	}
	size := sizeOf(frames)
	l := o.data.laneFor(t, size, frames)
	if o.data.overtakes(l, t, frames) {
		o.replay.path.noteSmall()
	}
	if w := o.awaitRoom(l, t, size); w != nil {
		o.wake() // it may not run yet; see wakeFor
		return putResult{wait: w}, nil
	}
	o.replay.noteSize(size)
	pos := o.data.append(l, t, frames)
	if mode == inline && o.mayWriteInline() {
		o.writer.writing = true
		return putResult{pos: pos, inline: o.writer}, nil
	}
	o.wakeFor(frames)
	return putResult{pos: pos}, nil
}

// putLinkControl queues a whole frame that is not sequenced, ahead of all
// others. It returns errFlood if the peer provokes more of them than it reads.
func (o *outbox) putLinkControl(f []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.putUrgent(&o.urgent.linkControl, f)
}

// putWindowLate queues a WINDOW frame for a stream of which the peer may not
// have seen the OPEN, which ends at a position: ahead of data, but not ahead of
// that, which may have to be sent again.
func (o *outbox) putWindowLate(opened position, f []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.data.isTaken(opened) && len(o.replay.pending) == 0 {
		return o.putUrgent(&o.urgent.linkControl, f)
	}
	switch {
	case o.err != nil:
		return o.err
	case !o.urgent.fits(len(f)):
		return errFlood
	}
	o.data.await(opened)
	o.urgent.late.append(f)
	o.urgent.lateBytes += len(f)
	return nil // the writer is awake for OPEN
}

// putPriority queues a whole sequenced frame ahead of all data.
func (o *outbox) putPriority(f []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.putUrgent(&o.urgent.priority, f)
}

// putUrgent queues an urgent frame if there is room; mu is held.
func (o *outbox) putUrgent(q *chunkQueue, f []byte) error {
	switch {
	case o.err != nil:
		return o.err
	case !o.urgent.fits(len(f)):
		return errFlood
	case !o.replay.fitsUrgent(o.urgent.bytes + len(f)):
		return errUnacknowledged
	}
	o.urgent.append(q, f)
	o.wake()
	return nil
}

// putPong answers a PING. Of several that wait, only the newest is answered.
func (o *outbox) putPong(opaque [frame.PingLen]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.urgent.pong, o.urgent.hasPong = opaque, true
	o.wake()
}

// attach makes a's writer the one that takes frames. It writes first ahead of
// everything.
func (o *outbox) attach(a *attachment, first []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.urgent.prepend(first) // also if the session is ending: what is queued may follow
	o.writer = a
	o.wake()
}

// detach stops a's writer: its link is lost.
func (o *outbox) detach(a *attachment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writer == a {
		o.wake() // so that it ends
		o.writer = nil
	}
}

// wake starts the writer unless it runs; mu is held. The writer has a goroutine
// only while it has something to do.
func (o *outbox) wake() {
	if o.writer != nil && !o.writer.writing {
		o.writer.writing = true
		o.writer.startWriter()
	}
}

// wakeFor starts the writer for frames that were queued; mu is held. The sender
// of a piece goes on with the next one at once, and calls flush if it has to
// wait for credit. So both are in one batch, unless that is full.
func (o *outbox) wakeFor(frames []outgoing) {
	if !frames[len(frames)-1].continues() || o.data.waitingBytes() >= maxBatch {
		o.wake()
	}
}

// flush starts the writer.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wake()
}

// hasWriter reports whether a has a writer, which closes the link of an ended
// session.
func (o *outbox) hasWriter(a *attachment) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writer == a
}

// rewind prepares for a link on which the peer says that it has received n
// sequenced frames, and reports whether that is possible. No writer runs.
func (o *outbox) rewind(n uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.replay.rewind(n) {
		return false
	}
	o.urgent.dropLinkControl()
	o.grantRoom()
	return true
}

// disableReplay stops keeping frames: the two ends do not resume.
func (o *outbox) disableReplay() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.replay.enabled = false
	o.replay.clear()
	o.noteAcked()
}

// ack drops the frames up to number n, which the peer has acknowledged. It
// reports whether the peer can have received that many.
func (o *outbox) ack(n uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.replay.enabled {
		return true
	}
	ok := o.replay.ackNow(n)
	o.noteAcked()
	return ok
}

// noteAcked uses the room that acknowledged frames have left; mu is held.
func (o *outbox) noteAcked() {
	o.data.popTaken()
	o.urgent.priority.popTaken()
	o.grantRoom()
	o.noteSettled()
}

// close accepts nothing more: put returns err. The writer still writes what is
// queued.
func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
		o.draining = true
	}
	o.data.lightWaiting.dismiss()
	o.data.heavyWaiting.dismiss()
	o.wake()
}

// discard drops what is queued: nothing more is written. The batch at the link
// stays until its writer has finished.
func (o *outbox) discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.draining = false
	o.replay.dropPending()
	o.replay.clear()
	o.data.clear()
	o.urgent.clear()
	o.wake()
}

// isSettled reports whether all frames that were queued are written and, if
// they are kept, acknowledged.
func (o *outbox) isSettled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.atRest()
}

// atRest is isSettled with mu held.
func (o *outbox) atRest() bool { return o.empty() && !o.batch.active && o.replay.size == 0 }

// releaseIdle frees the memory of lists if the peer has acknowledged all frames
// of streams, and reports whether that is so. Urgent frames may be queued.
func (o *outbox) releaseIdle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.data.empty() || len(o.replay.pending) > 0 || o.replay.size > 0 {
		return false
	}
	o.replay.kept = fifo[segment]{}
	if !o.batch.active {
		o.batch.segments, o.batch.parts = nil, nil
	}
	return true
}

// whenSettled returns a channel that is closed as soon as isSettled is true.
func (o *outbox) whenSettled() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.settled == nil {
		o.settled = make(chan struct{})
	}
	settled := o.settled
	o.noteSettled()
	return settled
}

// noteSettled closes the channel of whenSettled if isSettled is true; mu is
// held.
func (o *outbox) noteSettled() {
	if o.settled != nil && o.atRest() {
		close(o.settled)
		o.settled = nil
	}
}

// neverSent reports whether the frame that ends at a position is not sent any
// more, as the session ends with cause. A writer that runs may still send it,
// unless the peer has closed the link and so handles nothing that arrives now.
func (o *outbox) neverSent(pos position, cause error) bool {
	if cause == nil {
		return false
	}
	var closed *CloseError
	if !errors.As(cause, &closed) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.data.isTaken(pos) && (o.writer == nil || closed.Remote)
}

// writingBatch returns the number of the batch that is being written, 0 if
// there is none.
func (o *outbox) writingBatch() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.batch.active {
		return 0
	}
	return o.batch.number
}

// heldBytes returns how many bytes wait to be sent or acknowledged.
func (o *outbox) heldBytes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.replay.size + o.data.waitingBytes() + o.urgent.bytes
}
