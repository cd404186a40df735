package pipe

import "time"

// CanAwait implements transport.AwaitableLink.
func (e *End) CanAwait() bool {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	return e.ended == nil && (e.last == nil || len(e.last.data) == 0 && e.last.end == nil)
}

// AwaitMessage implements transport.AwaitableLink.
func (e *End) AwaitMessage(deadline time.Time) bool {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { e.interrupted = false }()
	for {
		wait := time.Duration(0) // for a change
		switch {
		case e.ended != nil || e.interrupted:
			return false
		case e.stalled || len(e.queue) == 0:
		default:
			if wait = time.Until(e.queue[0].at); wait <= 0 {
				return e.queue[0].end == nil
			}
		}
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return false
			}
			if wait == 0 || left < wait {
				wait = left
			}
		}
		changed := w.changed
		w.mu.Unlock()
		sleep(changed, wait)
		w.mu.Lock()
	}
}

// Interrupt implements transport.AwaitableLink.
func (e *End) Interrupt() {
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	e.interrupted = true
	e.wire.notify()
}
