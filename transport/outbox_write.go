package transport

import "runtime"

// yieldAndTake is take, but lets other goroutines add to the batch first. It
// returns no parts when there is nothing to take for now: then wake starts the
// writer again.
func (o *outbox) yieldAndTake(a *attachment) ([][]byte, error) {
	if o.stopIfEmpty(a) {
		return nil, nil
	}
	// Goroutines that are ready to add to the batch do so now: with many
	// callers this one yield more than doubles throughput
	// (docs/design/transport.md).
	runtime.Gosched()
	return o.take(a)
}

// stopIfEmpty stops a's writer until wake if there is nothing to write, and
// reports whether it has.
func (o *outbox) stopIfEmpty(a *attachment) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	stop := o.writer == a && o.empty() && o.err == nil
	if stop {
		a.writing = false
	}
	return stop
}

// empty reports whether nothing waits to be taken; mu is held.
func (o *outbox) empty() bool {
	return o.data.empty() && o.urgent.empty() && o.urgent.lateBytes == 0 && len(o.replay.pending) == 0
}

// maxInlineUnacked is how many bytes the peer may not have acknowledged for a
// write to be inline: the kernel takes as many without blocking.
const maxInlineUnacked = 64 << 10

// mayWriteInline reports whether the caller of put may write the frame itself:
// the writer is idle, and the write does not block.
func (o *outbox) mayWriteInline() bool {
	return o.writer != nil && !o.writer.writing && o.replay.enabled && o.replay.size+o.data.queued <= maxInlineUnacked
}

// take returns the parts of the next batch of frames, which stay valid until
// written is called. It returns an error when a's writer must end.
func (o *outbox) take(a *attachment) ([][]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil && (!o.draining || o.empty()):
		return nil, o.err
	case o.writer != a:
		return nil, errDetached
	}
	o.fillBatch()
	o.batch.start()
	o.data.forgetPromises()
	o.grantRoom()
	return o.batch.parts, nil
}

// fillBatch fills the batch: urgent frames, those to be sent again, the rest.
func (o *outbox) fillBatch() {
	o.urgent.appendPong()
	o.urgent.bytes -= o.batch.take(&o.urgent.linkControl)
	if !o.replay.retransmit(&o.batch) {
		return
	}
	first := len(o.batch.segments)
	o.urgent.bytes -= o.batch.take(&o.urgent.priority)
	if o.urgent.bytes == 0 { // an OPEN must not overtake the RESETs that have made room for it
		o.data.take(&o.batch)
	}
	o.replay.sentNow(o.batch.segments[first:], !o.data.waits() && o.data.empty())
	if o.data.awaitedTaken() {
		o.urgent.lateBytes -= o.batch.take(&o.urgent.late)
	}
}

// written says that the batch of the last take is no longer in use.
func (o *outbox) written() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batch.done()
	o.urgent.linkControl.popTaken()
	o.urgent.priority.popTaken()
	o.urgent.late.popTaken()
	o.data.popTaken()
	o.noteSettled()
}
