package rpc

import (
	"context"
	"time"
)

// attempt is a dial that calls may wait for, and the delay before it.
type attempt struct {
	delay  time.Duration // before it
	least  time.Duration // what a call does not shorten of that
	failed bool          // the delay is because something has failed
	sure   bool          // the session is used only when the server has answered on it

	ctx     context.Context // ends when it is not wanted any more
	cancel  context.CancelFunc
	done    chan struct{} // closed when err is set
	err     error         // nil: it was made, or is not wanted any more
	delayed bool          // its time has not come; guarded by the line's mu

	hurried, rushed chan struct{} // closed when a call cannot wait, and when the delay is void
}

// hurry cuts the delay short for a call. There may be no attempt. The line's mu is held.
func (a *attempt) hurry() {
	if a != nil && !isClosed(a.hurried) {
		close(a.hurried)
	}
}

// rush ends the delay. The line's mu is held.
func (a *attempt) rush() {
	if a != nil && !isClosed(a.rushed) {
		close(a.rushed)
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

// wait lets the delay pass.
func (a *attempt) wait() {
	if a.delay <= 0 {
		return
	}
	timer := time.NewTimer(min(a.least, a.delay))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.rushed:
		return
	case <-a.ctx.Done():
		return
	}
	timer.Reset(a.delay - min(a.least, a.delay))
	select {
	case <-timer.C:
	case <-a.hurried:
	case <-a.rushed:
	case <-a.ctx.Done():
	}
}

// begin makes an attempt; mu is held.
func (l *line) begin(a *attempt) {
	if l.state == StateShutdown {
		return
	}
	if a.failed {
		a.least = a.delay
	}
	a.ctx, a.cancel = context.WithCancel(l.c.life)
	a.done, a.hurried, a.rushed = make(chan struct{}), make(chan struct{}), make(chan struct{})
	a.delayed = a.delay > 0
	l.attempt = a
	l.settle()
	l.attempts.do(&l.c.workers, func() { l.run(a) })
}

// callOff ends an attempt that is not wanted any more; mu is held.
func (l *line) callOff() {
	if a := l.attempt; a != nil {
		l.attempt = nil
		a.cancel()
	}
}

func (l *line) run(a *attempt) {
	defer a.cancel()
	a.wait()
	l.mu.Lock()
	if a.delayed {
		a.delayed = false
		l.settle()
	}
	l.mu.Unlock()
	conn, err := l.connect(a)
	l.finish(a, conn, err)
}

// finish takes over what has come of an attempt.
func (l *line) finish(a *attempt, conn *Conn, err error) {
	var leave *Conn
	l.mu.Lock()
	switch {
	case l.attempt != a: // it was called off
		leave = conn
	case err != nil:
		l.attempt, a.err = nil, err
		l.missed(err)
	default:
		leave, l.attempt = l.conn, nil
		l.use(conn)
	}
	l.mu.Unlock()
	close(a.done)
	if leave != nil {
		leave.leave()
	}
	if err == nil {
		l.c.relieve(l)
	}
}

// missed books an attempt that has failed, and makes the next unless the server
// has refused this client. mu is held.
func (l *line) missed(err error) {
	l.failures++
	l.misses++
	delay := max(backoff(l.failures), l.held.wait(l.urls, time.Now()))
	switch {
	case l.conn == nil:
		l.comeBack(err, passes(err), delay)
	case l.conn.leaving || l.conn.away:
		if !passes(err) { // perhaps it does by the time that the session ends
			delay = max(delay, fullJitter(l.failures, firstLonger, mostLonger))
		}
		l.begin(&attempt{delay: delay, failed: true, sure: true})
	default:
		l.settle()
	}
}

// comeBack makes an attempt by itself after a delay, or leaves that to the next
// call, which is told err before the delay is over. mu is held.
func (l *line) comeBack(err error, byItself bool, delay time.Duration) {
	l.err = err
	switch {
	case l.c.life.Err() != nil:
	case byItself && !l.c.single:
		l.begin(&attempt{delay: delay, failed: true})
	default:
		l.until = time.Now().Add(delay)
		l.settle()
	}
}
