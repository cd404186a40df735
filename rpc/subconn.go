package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// line is a client's way to one server, or to the first of several that answers.
// It connects when a call needs it, and again by itself when the session was lost.
// While it is connected it has no goroutine of its own.
//
// What it does is decided by two things: the session that new calls start on, which
// may be about to leave or without a link, and the attempt to make another one. The
// state that an application sees follows from them (stands). docs/design/rpc.md has
// the table.
type subConn struct {
	c    *Client
	urls []string // in the order in which they are tried

	publicState atomic.Int32         // state, for readers without mu
	ready       atomic.Pointer[Conn] // conn, while a call may start on it without a look at the rest
	dials       taskGroup            // those under way

	mu           sync.Mutex
	state        State
	conn         *Conn                  // new calls are made on it; nil: none
	dialAttempt  *dialAttempt           // under way, or to be made; nil: none
	changed      chan struct{}          // closed at the next change; nil while no call waits for that
	failures     int                    // attempts since a session lasted, and sessions that did not last
	failedDials  uint64                 // attempts that have failed, ever
	err          error                  // why there is no connection; nil: none was wanted
	refusedUntil time.Time              // no attempt before: the server has refused this client
	nextAddress  string                 // where a server that goes away has said to come back to
	avoidURL     string                 // the URL that is tried last: its server goes away
	retryAfter   retryAfterTimes        // URLs whose servers have said when to come back
	predecessor  *transport.Predecessor // the session that the next one replaces
}

// patience says whether a call waits for a connection.
type waitMode int

const (
	failFast waitMode = iota
	waitForReady
)

// get returns the connection, and makes it if there is none. A call that fails fast
// fails when the attempt under way does, and at once where the next is delayed
// because one has failed.
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

// view is what a call finds at a line: a connection, or why there is none, or what it
// has to wait for.
type view struct {
	conn        *Conn
	err         error
	wait        <-chan struct{}
	dialAttempt *dialAttempt // whose end wait is; nil: it is another event
}

// look returns what a call finds, and begins an attempt if there is none. mu is held.
func (l *subConn) lookup(p waitMode) view {
	l.checkConn() // the session may have ended this moment
	conn, a := l.conn, l.dialAttempt
	switch {
	case l.state == StateShutdown:
		return view{err: errClientClosed}
	case conn != nil && !conn.usable():
		return view{wait: conn.Done()} // it is about to end
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

// elsewhere reports whether calls may get another session than that which has lost
// its link, so that they wait for the first of both. mu is held.
func (l *subConn) hasAlternative() bool { return len(l.urls) > 1 || l.dialAttempt != nil }

// change returns what is closed at the next change; mu is held.
func (l *subConn) waitChange() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// gaveUpWaiting is the status of a call that did not get a connection in time.
func (l *subConn) waitError(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return transportError(ctx.Err())
	}
	return Errorf(CodeOf(ctx.Err()), "%w, waiting for a connection: %w", ctx.Err(), l.err)
}

// stands returns the state; mu is held.
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

// settle publishes what a change has led to; mu is held.
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

// review looks whether the session still takes calls, and whether its server goes
// away; mu is held.
func (l *subConn) checkConn() {
	conn := l.conn
	switch {
	case conn == nil:
	case conn.ending():
		// The server has said why, and is about to close.
	case !conn.usable():
		l.dropConn()
	case conn.hasGoAwayNotice() && !conn.client.draining:
		l.prepareSuccessor()
	}
}

// changedConn is told that a connection goes away or has ended.
func (l *subConn) connChanged(conn *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == conn {
		l.checkConn()
	}
}

// use has new calls made on a connection; mu is held.
func (l *subConn) adopt(conn *Conn) {
	l.conn, l.err, l.avoidURL = conn, nil, ""
	l.publish()
	l.checkConn()
	if l.conn == conn && conn.client.detached {
		l.dialAlternative()
	}
}

// close ends the use of the line, of a client that is closed, and waits for an
// attempt that is under way.
func (l *subConn) close() {
	l.mu.Lock()
	l.state = StateShutdown
	l.publish()
	l.mu.Unlock()
	l.dials.wait()
}
