package rpc

import (
	"time"

	"github.com/parley-rpc/parley/transport"
)

// alternativeDelay is how long a server may take to resume a session before
// another server is tried for new calls.
const alternativeDelay = time.Second

// linkLost is called when the link of a connection is lost. It returns the
// number of the loss.
func (sc *subConn) linkLost(conn *Conn) int {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	conn.client.detached = true
	conn.client.losses++
	if conn.client.cancelVerify != nil {
		conn.client.cancelVerify()
	}
	if sc.conn == conn {
		sc.dialAlternative()
		sc.publish()
	}
	return conn.client.losses
}

// dialAlternative dials another server if that of the detached session does not
// answer soon. mu is held.
func (sc *subConn) dialAlternative() {
	if len(sc.urls) > 1 && sc.dialAttempt == nil && !sc.c.single {
		sc.avoidURL = sc.conn.client.url
		sc.startDial(&dialAttempt{delay: alternativeDelay, minDelay: alternativeDelay, verify: true})
	}
}

// resumeFailed is called when the server of a detached session does not answer.
func (sc *subConn) resumeFailed(conn *Conn) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if a := sc.dialAttempt; sc.conn == conn && a != nil && a.waiting && !a.afterFailure {
		a.skipDelay()
	}
}

// resumed is called when a connection has been resumed after a loss. Another
// loss may have followed.
func (sc *subConn) resumed(conn *Conn, loss int) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if conn.client.losses != loss {
		return
	}
	conn.client.detached, conn.client.linkedAt = false, time.Now()
	if sc.conn == conn {
		if !conn.client.draining {
			sc.cancelDial()
		}
		sc.publish()
		sc.checkConn()
	}
}

// claimSuccession reports whether a connection that cannot be resumed needs a
// successor: calls still start on it, and no other session is to take over.
func (sc *subConn) claimSuccession(conn *Conn) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.conn != conn || sc.state == StateShutdown {
		return false
	}
	sc.cancelDial() // else its session might come first
	return true
}

// replaceConn replaces conn, which could not be resumed and is about to end, by
// successor, which was begun on the same link. It reports whether successor is
// used.
func (sc *subConn) replaceConn(conn, successor *Conn) bool {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.conn != conn || sc.state == StateShutdown {
		return false
	}
	sc.countShortSession(conn)
	sc.cancelDial()
	successor.client.shortLinks = conn.client.shortLinks
	sc.adopt(successor)
	return true
}

// lostSession returns the session that a new one replaces, or nil.
func (sc *subConn) lostSession() *transport.Predecessor {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	return sc.predecessor
}

// helloRead is called when the server has read which session a new session
// replaces.
func (sc *subConn) helloRead(conn *Conn) {
	if conn.client.predecessor == nil {
		return
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.predecessor == conn.client.predecessor {
		sc.predecessor = nil
	}
}

// minLinkTime is how long a useful link lasts. After two consecutive shorter
// links, the replacement is delayed.
const minLinkTime = 250 * time.Millisecond

// relinkDelay returns the delay before a lost link is replaced.
func (sc *subConn) relinkDelay(conn *Conn) time.Duration {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if time.Since(conn.client.linkedAt) >= minLinkTime {
		conn.client.shortLinks = 0
		return 0
	}
	conn.client.shortLinks++
	return fullJitter(conn.client.shortLinks-2, initialDelay/2, initialLongDelay)
}
