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
func (sc *subConn) get(ctx context.Context, p waitMode) (*Conn, error) {
	if conn := sc.ready.Load(); conn != nil && conn.usable() {
		return conn, nil
	}
	for {
		sc.mu.Lock()
		v := sc.lookup(p)
		if v.conn == nil || v.conn.client.draining {
			sc.dialAttempt.expedite()
		}
		sc.mu.Unlock()
		if v.conn != nil || v.err != nil {
			return v.conn, v.err
		}
		select {
		case <-v.wait:
		case <-ctx.Done():
			return nil, sc.waitError(ctx)
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
func (sc *subConn) lookup(p waitMode) view {
	sc.checkConn() // the session may have just ended
	conn, a := sc.conn, sc.dialAttempt
	switch {
	case sc.state == StateShutdown:
		return view{err: sc.c.closedError()}
	case conn != nil && !conn.usable():
		return view{wait: conn.Done()} // the connection is about to end
	case conn != nil && conn.client.detached && sc.hasAlternative():
		return view{wait: sc.waitChange()}
	case conn != nil:
		return view{conn: conn}
	case a != nil && a.waiting && a.afterFailure && p == failFast, a == nil && sc.err != nil && time.Now().Before(sc.refusedUntil):
		return view{err: sc.err}
	case a == nil:
		sc.startDial(&dialAttempt{})
	}
	return view{wait: sc.dialAttempt.done, dialAttempt: sc.dialAttempt}
}

// hasAlternative reports whether another session than the detached one may
// become available, so that calls wait for either. mu is held.
func (sc *subConn) hasAlternative() bool { return len(sc.urls) > 1 || sc.dialAttempt != nil }

// waitChange returns a channel that is closed at the next change; mu is held.
func (sc *subConn) waitChange() <-chan struct{} {
	if sc.changed == nil {
		sc.changed = make(chan struct{})
	}
	return sc.changed
}

// waitError returns the status of a call whose context has ended while it
// waited for a connection.
func (sc *subConn) waitError(ctx context.Context) error {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.err == nil {
		return transportError(ctx.Err())
	}
	return Errorf(CodeOf(ctx.Err()), "%w, waiting for a connection: %w", ctx.Err(), sc.err)
}

// computeState returns the state; mu is held.
func (sc *subConn) computeState() State {
	conn, a := sc.conn, sc.dialAttempt
	switch {
	case sc.state == StateShutdown:
		return StateShutdown
	case conn != nil && conn.client.detached:
		return StateResuming
	case conn != nil:
		return StateReady
	case a != nil && a.waiting && a.afterFailure, a == nil && sc.err != nil:
		return StateTransientFailure
	case a != nil:
		return StateConnecting
	}
	return StateIdle
}

// publish publishes the state after a change; mu is held.
func (sc *subConn) publish() {
	sc.state = sc.computeState()
	ready := sc.conn
	if ready != nil && (ready.client.draining || ready.client.detached && sc.hasAlternative()) {
		ready = nil
	}
	sc.ready.Store(ready)
	if sc.changed != nil {
		close(sc.changed)
		sc.changed = nil
	}
	if sc.publicState.Swap(int32(sc.state)) != int32(sc.state) || len(sc.c.subConns) > 1 {
		sc.c.updateState()
	}
}

// checkConn checks whether the session still accepts calls, and whether its
// server goes away; mu is held.
func (sc *subConn) checkConn() {
	conn := sc.conn
	switch {
	case conn == nil:
	case conn.ending():
		// The server has sent the reason and is about to close.
	case !conn.usable():
		sc.dropConn()
	case conn.hasGoAwayNotice() && !conn.client.draining:
		sc.prepareSuccessor()
	}
}

// connChanged is called when a connection goes away or has ended.
func (sc *subConn) connChanged(conn *Conn) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.conn == conn {
		sc.checkConn()
	}
}

// adopt uses a connection for new calls; mu is held.
func (sc *subConn) adopt(conn *Conn) {
	sc.conn, sc.err, sc.avoidURL = conn, nil, ""
	sc.publish()
	sc.checkConn()
	if sc.conn == conn && conn.client.detached {
		sc.dialAlternative()
	}
}

// close closes the subConn of a closed client, and waits for its running
// attempts.
func (sc *subConn) close() {
	sc.mu.Lock()
	sc.state = StateShutdown
	sc.publish()
	sc.mu.Unlock()
	sc.dials.wait()
}
