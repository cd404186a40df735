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
func (sc *subConn) startDial(a *dialAttempt) {
	if sc.state == StateShutdown {
		return
	}
	if a.afterFailure {
		a.minDelay = a.delay
	}
	a.ctx, a.cancel = context.WithCancel(sc.c.ctx)
	a.done, a.expedited, a.skipped = make(chan struct{}), make(chan struct{}), make(chan struct{})
	a.waiting = a.delay > 0
	sc.dialAttempt = a
	sc.publish()
	sc.dials.start(&sc.c.workers, func() { sc.runDial(a) })
}

// cancelDial cancels an attempt that is no longer needed; mu is held.
func (sc *subConn) cancelDial() {
	if a := sc.dialAttempt; a != nil {
		sc.dialAttempt = nil
		a.cancel()
	}
}

func (sc *subConn) runDial(a *dialAttempt) {
	defer a.cancel()
	a.wait()
	sc.mu.Lock()
	if a.waiting {
		a.waiting = false
		sc.publish()
	}
	sc.mu.Unlock()
	conn, err := sc.connect(a)
	sc.finishDial(a, conn, err)
}

// finishDial handles the result of an attempt.
func (sc *subConn) finishDial(a *dialAttempt, conn *Conn, err error) {
	var unused *Conn
	sc.mu.Lock()
	switch {
	case sc.dialAttempt != a: // it was canceled
		unused = conn
	case err != nil:
		sc.dialAttempt, a.err = nil, err
		sc.dialFailed(err)
	default:
		unused, sc.dialAttempt = sc.conn, nil
		sc.adopt(conn)
	}
	sc.mu.Unlock()
	close(a.done)
	if unused != nil {
		unused.shutdown()
	}
	if err == nil {
		sc.c.releaseDraining(sc)
	}
}

// dialFailed records a failed attempt and schedules the next, unless the server
// has refused this client. mu is held.
func (sc *subConn) dialFailed(err error) {
	sc.failures++
	sc.failedDials++
	delay := max(backoff(sc.failures), sc.retryAfter.wait(sc.urls, time.Now()))
	switch {
	case sc.conn == nil:
		sc.scheduleReconnect(err, isTransient(err), delay)
	case sc.conn.client.draining || sc.conn.client.detached:
		if !isTransient(err) { // it may accept the client by the time the session ends
			delay = max(delay, fullJitter(sc.failures, initialLongDelay, maxLongDelay))
		}
		sc.startDial(&dialAttempt{delay: delay, afterFailure: true, verify: true})
	default:
		sc.publish()
	}
}

// scheduleReconnect makes an attempt after a delay or, unless byItself, lets
// the next call make it. A call before the end of the delay gets err. mu is
// held.
func (sc *subConn) scheduleReconnect(err error, byItself bool, delay time.Duration) {
	sc.err = err
	switch {
	case sc.c.ctx.Err() != nil:
	case byItself && !sc.c.single:
		sc.startDial(&dialAttempt{delay: delay, afterFailure: true})
	default:
		sc.refusedUntil = time.Now().Add(delay)
		sc.publish()
	}
}
