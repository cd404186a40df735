package transport

// maxQuantum is how many bytes of small frames a stream that had to wait may
// queue before it waits again, if the queue and what may be unacknowledged are
// many times that. Otherwise a goroutine would be woken for each of them.
const maxQuantum = 8 << 10

// quantum is room that a stream was promised when it was its turn. It is not
// reserved: light frames may take it. It is bounded, so that many turns fit
// into the queue. The outbox's mu guards it.
type quantum struct {
	left  int    // bytes
	batch uint64 // the number of the last batch at that time
}

// promise promises up to n bytes of the room that is left.
func (q *dataQueue) promise(n int) quantum {
	n = max(n, 0)
	q.promised += n
	return quantum{left: n, batch: q.batches}
}

// withdraw ends a promise. One from before the last batch does not count any
// more.
func (q *dataQueue) withdraw(u quantum) {
	if u.batch == q.batches {
		q.promised -= u.left
	}
}

// spendQuantum uses the quantum of a stream for size bytes. It reports whether
// that has so much left.
func (q *dataQueue) spendQuantum(t *turn, size int) bool {
	if t.quantum.left < size {
		return false
	}
	q.withdraw(quantum{left: size, batch: t.quantum.batch})
	t.quantum.left -= size
	t.finish += uint64(size)
	return true
}

// endQuantum drops what is left of the quantum of a stream, which waits.
func (q *dataQueue) endQuantum(t *turn) {
	q.withdraw(t.quantum)
	t.quantum = quantum{}
}

// forgetPromises makes room for other streams: a batch was taken. A stream that
// has not used its quantum may still do so if there is room.
func (q *dataQueue) forgetPromises() {
	q.promised = 0
	q.batches++
}

// isBusy reports whether a stream sends so much that its small frames are heavy
// and take turns with those of others: it has waited for its turn, or has sent a
// quantum more than streams that wait. It stops being busy when it is so far
// behind them that it must have been idle.
func (q *dataQueue) isBusy(t *turn) bool {
	now := q.heavyWaiting.now
	switch {
	case t.finish > now+uint64(q.quantum):
		t.busy = true
	case now >= t.finish+q.heavyWaiting.lag:
		t.busy = false
	}
	return t.busy
}
