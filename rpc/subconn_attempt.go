package rpc

import (
	"context"
	"time"
)

// dialAttempt is an attempt to connect that calls may wait for, and the delay
// before it.
type dialAttempt struct {
	delay        time.Duration // before the attempt
	minDelay     time.Duration // the part of delay that a call does not shorten
	afterFailure bool          // delay is because of a failure
	verify       bool          // the session is used only once the server has answered on it

	ctx     context.Context // canceled when the attempt is no longer needed
	cancel  context.CancelFunc
	done    chan struct{} // closed when err is set
	err     error         // nil: it succeeded, or is no longer needed
	waiting bool          // the delay is not over; guarded by subConn.mu

	expedited, skipped chan struct{} // closed when a call cannot wait, and when no delay is needed
}

// expedite shortens the delay to minDelay for a call. a may be nil. subConn.mu
// is held.
func (a *dialAttempt) expedite() {
	if a != nil && !isClosed(a.expedited) {
		close(a.expedited)
	}
}

// skipDelay ends the delay. a may be nil. subConn.mu is held.
func (a *dialAttempt) skipDelay() {
	if a != nil && !isClosed(a.skipped) {
		close(a.skipped)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wait waits for the delay.
func (a *dialAttempt) wait() {
	if a.delay <= 0 {
		return
	}
	timer := time.NewTimer(min(a.minDelay, a.delay))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.skipped:
		return
	case <-a.ctx.Done():
		return
	}
	timer.Reset(a.delay - min(a.minDelay, a.delay))
	select {
	case <-timer.C:
	case <-a.expedited:
	case <-a.skipped:
	case <-a.ctx.Done():
	}
}

// startDial starts an attempt; mu is held.
func (l *subConn) startDial(a *dialAttempt) {
	if l.state == StateShutdown {
		return
	}
	if a.afterFailure {
		a.minDelay = a.delay
	}
	a.ctx, a.cancel = context.WithCancel(l.c.ctx)
	a.done, a.expedited, a.skipped = make(chan struct{}), make(chan struct{}), make(chan struct{})
	a.waiting = a.delay > 0
	l.dialAttempt = a
	l.publish()
	l.dials.start(&l.c.workers, func() { l.runDial(a) })
}

// cancelDial cancels an attempt that is no longer needed; mu is held.
func (l *subConn) cancelDial() {
	if a := l.dialAttempt; a != nil {
		l.dialAttempt = nil
		a.cancel()
	}
}

func (l *subConn) runDial(a *dialAttempt) {
	defer a.cancel()
	a.wait()
	l.mu.Lock()
	if a.waiting {
		a.waiting = false
		l.publish()
	}
	l.mu.Unlock()
	conn, err := l.connect(a)
	l.finishDial(a, conn, err)
}

// finishDial handles the result of an attempt.
func (l *subConn) finishDial(a *dialAttempt, conn *Conn, err error) {
	var leave *Conn
	l.mu.Lock()
	switch {
	case l.dialAttempt != a: // it was canceled
		leave = conn
	case err != nil:
		l.dialAttempt, a.err = nil, err
		l.dialFailed(err)
	default:
		leave, l.dialAttempt = l.conn, nil
		l.adopt(conn)
	}
	l.mu.Unlock()
	close(a.done)
	if leave != nil {
		leave.shutdown()
	}
	if err == nil {
		l.c.releaseDraining(l)
	}
}

// dialFailed records a failed attempt and schedules the next, unless the server
// has refused this client. mu is held.
func (l *subConn) dialFailed(err error) {
	l.failures++
	l.failedDials++
	delay := max(backoff(l.failures), l.retryAfter.wait(l.urls, time.Now()))
	switch {
	case l.conn == nil:
		l.scheduleReconnect(err, isTransient(err), delay)
	case l.conn.client.draining || l.conn.client.detached:
		if !isTransient(err) { // it may accept the client by the time the session ends
			delay = max(delay, fullJitter(l.failures, initialLongDelay, maxLongDelay))
		}
		l.startDial(&dialAttempt{delay: delay, afterFailure: true, verify: true})
	default:
		l.publish()
	}
}

// scheduleReconnect makes an attempt after a delay or, unless byItself, lets
// the next call make it. A call before the end of the delay gets err. mu is
// held.
func (l *subConn) scheduleReconnect(err error, byItself bool, delay time.Duration) {
	l.err = err
	switch {
	case l.c.ctx.Err() != nil:
	case byItself && !l.c.single:
		l.startDial(&dialAttempt{delay: delay, afterFailure: true})
	default:
		l.refusedUntil = time.Now().Add(delay)
		l.publish()
	}
}
