package transport

// awaitRoom returns nil if there is room in a lane, and otherwise the place in
// the queue of those that wait for it; mu is held.
func (o *outbox) awaitRoom(l *lane, t *turn, size int) *waiter {
	q := &o.data
	if l == &q.light {
		q.heavyWaiting.charge(t, size)
		if !q.lightWaiting.empty() || !o.fits(size, o.lightReserve()) {
			return q.lightWaiting.add(size)
		}
		return nil
	}
	switch {
	case !q.lightWaiting.empty() || !o.fits(size, 0):
	case q.heavyWaiting.len() == 0:
		q.heavyWaiting.pass(t, size)
		return nil
	case q.spendQuantum(t, size):
		return nil
	}
	q.endQuantum(t)
	t.busy = true
	w := q.heavyWaiting.add(t, size)
	q.noteLargeWaiter(w, 1)
	if next := q.heavyWaiting.next(); o.fits(next.size+q.promised+q.quantum, 0) {
		o.grantRoom() // others have used less than what they were promised
	}
	return w
}

// putGranted queues frames for which room was granted.
func (o *outbox) putGranted(w *waiter, t *turn, frames ...outgoing) (pos position, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	o.data.queued -= w.size
	o.replay.noteSize(w.size)
	defer o.wakeFor(frames)
	l := &o.data.heavy
	if w.heavy {
		o.data.noteLargeWaiter(w, -1)
		t.quantum = w.quantum
	} else {
		l = o.data.laneFor(t, w.size, frames)
	}
	return o.data.append(l, t, frames), nil
}

// giveUp ends the wait for room.
func (o *outbox) giveUp(w *waiter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	leave := o.data.lightWaiting.leave
	if w.heavy {
		o.data.noteLargeWaiter(w, -1)
		leave = o.data.heavyWaiting.leave
	}
	if granted := leave(w); granted {
		o.data.queued -= w.size
		o.data.withdraw(w.quantum)
	}
	o.grantRoom()
}

// maxLightReserve bounds lightReserve, in bytes.
const maxLightReserve = 32 << 10

// lightReserve returns how many bytes are left for light frames when heavy ones
// have used up the room: in the queue, and in flight.
func (o *outbox) lightReserve() int { return min(maxLightReserve, o.data.limit/2) }

// fits reports whether there is room for frames of streams, with reserve more
// bytes of it than usual.
func (o *outbox) fits(size, reserve int) bool {
	return o.data.fits(size-reserve) && o.replay.fits(o.data.queued, size-reserve)
}

// grantRoom gives room to those that wait for it, first to light frames; mu is
// held.
func (o *outbox) grantRoom() {
	if !o.data.waits() {
		return
	}
	o.data.lightWaiting.grant(func(size int) bool {
		ok := o.fits(size, o.lightReserve())
		if ok {
			o.data.queued += size
		}
		return ok
	})
	if o.data.lightWaiting.empty() {
		o.data.heavyWaiting.grant(o.takeTurn)
	}
}

// takeTurn gives a waiter room for its frame, unless others were promised that,
// and promises it what is left of the room, up to a quantum.
func (o *outbox) takeTurn(w *waiter) bool {
	q := &o.data
	if !o.fits(w.size+q.promised, 0) {
		return false
	}
	q.queued += w.size
	left := min(q.limit-q.queued, o.replay.left(q.queued)) - q.promised
	w.quantum = q.promise(min(q.quantum-w.size, left))
	return true
}
