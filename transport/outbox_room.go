package transport

// awaitRoom returns nil if there is room in a lane, and otherwise the place in
// the queue of those that wait for it; mu is held.
func (o *outbox) awaitRoom(l *lane, t *turn, size int) *waiter {
	if l == &o.data.light {
		if !o.data.lightWaiting.empty() || !o.fits(size, o.lightReserve()) {
			return o.data.lightWaiting.add(size)
		}
		return nil
	}
	if o.data.waits() || !o.fits(size, 0) {
		return o.data.heavyWaiting.add(t, size)
	}
	o.data.heavyWaiting.pass(t, size)
	return nil
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
	defer o.wake()
	l := &o.data.heavy
	if !w.heavy {
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
		leave = o.data.heavyWaiting.leave
	}
	if granted := leave(w); granted {
		o.data.queued -= w.size
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
	o.data.lightWaiting.grant(func(size int) bool { return o.takeRoom(size, o.lightReserve()) })
	if o.data.lightWaiting.empty() {
		o.data.heavyWaiting.grant(func(size int) bool { return o.takeRoom(size, 0) })
	}
}

func (o *outbox) takeRoom(size, reserve int) bool {
	ok := o.fits(size, reserve)
	if ok {
		o.data.queued += size
	}
	return ok
}
