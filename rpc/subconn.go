package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// subConn is a client's connection to one server, or to the first of several
// URLs that answers. It connects when a call needs it, and reconnects when the
// session is lost. While it is connected it has no goroutine of its own.
//
// Two things determine what it does: the session on which new calls start,
// which may be detached or about to end, and the attempt to make another one.
// The State that an application sees follows from them (computeState).
// docs/design/rpc.md has the table.
type subConn struct {
	c    *Client
	urls []string // in the order in which they are tried

	publicState atomic.Int32         // state, for readers without mu
	ready       atomic.Pointer[Conn] // conn, if a call may start on it without further checks
	dials       taskGroup            // the running attempts

	mu           sync.Mutex
	state        State
	conn         *Conn                  // for new calls; nil: none
	dialAttempt  *dialAttempt           // running or scheduled; nil: none
	changed      chan struct{}          // closed at the next change; nil: no call waits
	failures     int                    // attempts since a session lasted, and sessions that did not last
	failedDials  uint64                 // total failed attempts
	err          error                  // why there is no connection; nil: none was needed
	refusedUntil time.Time              // no attempt before: the server has refused this client
	nextAddress  string                 // that a departing server has named for the next session
	avoidURL     string                 // of a departing server, tried last
	retryAfter   retryAfterTimes        // URLs whose servers have sent Retry-After
	predecessor  *transport.Predecessor // the lost session that the next one replaces
}

// waitMode is whether a call waits for a connection.
type waitMode int

const (
	failFast waitMode = iota
	waitForReady
)

// get returns the connection, and connects if there is none. A call that fails
// fast fails when the current attempt does, and at once while the next is
// delayed after a failure.
func (l *subConn) get(ctx context.Context, p waitMode) (*Conn, error) {
	if conn := l.ready.Load(); conn != nil && conn.usable() {
		return conn, nil
	}
	for {
		l.mu.Lock()
		v := l.lookup(p)
		if v.conn == nil || v.conn.client.draining {
			l.dialAttempt.expedite()
		}
		l.mu.Unlock()
		if v.conn != nil || v.err != nil {
			return v.conn, v.err
		}
		select {
		case <-v.wait:
		case <-ctx.Done():
			return nil, l.waitError(ctx)
		}
		if a := v.dialAttempt; a != nil && a.err != nil && (p == failFast || !isTransient(a.err)) {
			return nil, a.err
		}
	}
}

// view is what a call finds at a subConn: a connection, or an error, or what to
// wait for.
type view struct {
	conn        *Conn
	err         error
	wait        <-chan struct{}
	dialAttempt *dialAttempt // whose end closes wait; nil: wait is for another event
}

// lookup returns what a call finds, and starts an attempt if there is none. mu
// is held.
func (l *subConn) lookup(p waitMode) view {
	l.checkConn() // the session may have just ended
	conn, a := l.conn, l.dialAttempt
	switch {
	case l.state == StateShutdown:
		return view{err: errClientClosed}
	case conn != nil && !conn.usable():
		return view{wait: conn.Done()} // the connection is about to end
	case conn != nil && conn.client.detached && l.hasAlternative():
		return view{wait: l.waitChange()}
	case conn != nil:
		return view{conn: conn}
	case a != nil && a.waiting && a.afterFailure && p == failFast, a == nil && l.err != nil && time.Now().Before(l.refusedUntil):
		return view{err: l.err}
	case a == nil:
		l.startDial(&dialAttempt{})
	}
	return view{wait: l.dialAttempt.done, dialAttempt: l.dialAttempt}
}

// hasAlternative reports whether another session than the detached one may
// become available, so that calls wait for either. mu is held.
func (l *subConn) hasAlternative() bool { return len(l.urls) > 1 || l.dialAttempt != nil }

// waitChange returns a channel that is closed at the next change; mu is held.
func (l *subConn) waitChange() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// waitError returns the status of a call whose context has ended while it
// waited for a connection.
func (l *subConn) waitError(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return transportError(ctx.Err())
	}
	return Errorf(CodeOf(ctx.Err()), "%w, waiting for a connection: %w", ctx.Err(), l.err)
}

// computeState returns the state; mu is held.
func (l *subConn) computeState() State {
	conn, a := l.conn, l.dialAttempt
	switch {
	case l.state == StateShutdown:
		return StateShutdown
	case conn != nil && conn.client.detached:
		return StateResuming
	case conn != nil:
		return StateReady
	case a != nil && a.waiting && a.afterFailure, a == nil && l.err != nil:
		return StateTransientFailure
	case a != nil:
		return StateConnecting
	}
	return StateIdle
}

// publish publishes the state after a change; mu is held.
func (l *subConn) publish() {
	l.state = l.computeState()
	ready := l.conn
	if ready != nil && (ready.client.draining || ready.client.detached && l.hasAlternative()) {
		ready = nil
	}
	l.ready.Store(ready)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	if l.publicState.Swap(int32(l.state)) != int32(l.state) || len(l.c.subConns) > 1 {
		l.c.updateState()
	}
}

// checkConn checks whether the session still accepts calls, and whether its
// server goes away; mu is held.
func (l *subConn) checkConn() {
	conn := l.conn
	switch {
	case conn == nil:
	case conn.ending():
		// The server has sent the reason and is about to close.
	case !conn.usable():
		l.dropConn()
	case conn.hasGoAwayNotice() && !conn.client.draining:
		l.prepareSuccessor()
	}
}

// connChanged is called when a connection goes away or has ended.
func (l *subConn) connChanged(conn *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.checkConn()
	}
}

// adopt uses a connection for new calls; mu is held.
func (l *subConn) adopt(conn *Conn) {
	l.conn, l.err, l.avoidURL = conn, nil, ""
	l.publish()
	l.checkConn()
	if l.conn == conn && conn.client.detached {
		l.dialAlternative()
	}
}

// close closes the subConn of a closed client, and waits for its running
// attempts.
func (l *subConn) close() {
	l.mu.Lock()
	l.state = StateShutdown
	l.publish()
	l.mu.Unlock()
	l.dials.wait()
}
