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
func (l *subConn) linkLost(conn *Conn) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn.client.detached = true
	conn.client.losses++
	if conn.client.cancelVerify != nil {
		conn.client.cancelVerify()
	}
	if l.conn == conn {
		l.dialAlternative()
		l.publish()
	}
	return conn.client.losses
}

// dialAlternative dials another server if that of the detached session does not
// answer soon. mu is held.
func (l *subConn) dialAlternative() {
	if len(l.urls) > 1 && l.dialAttempt == nil && !l.c.single {
		l.avoidURL = l.conn.client.url
		l.startDial(&dialAttempt{delay: alternativeDelay, minDelay: alternativeDelay, verify: true})
	}
}

// resumeFailed is called when the server of a detached session does not answer.
func (l *subConn) resumeFailed(conn *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.dialAttempt; l.conn == conn && a != nil && a.waiting && !a.afterFailure {
		a.skipDelay()
	}
}

// resumed is called when a connection has been resumed after a loss. Another
// loss may have followed.
func (l *subConn) resumed(conn *Conn, loss int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn.client.losses != loss {
		return
	}
	conn.client.detached, conn.client.linkedAt = false, time.Now()
	if l.conn == conn {
		if !conn.client.draining {
			l.cancelDial()
		}
		l.publish()
		l.checkConn()
	}
}

// replaceConn replaces conn, which could not be resumed and is about to end, by
// successor, which was begun on the same link. It reports whether successor is
// used.
func (l *subConn) replaceConn(conn, heir *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != conn || l.state == StateShutdown {
		return false
	}
	l.countShortSession(conn)
	l.cancelDial()
	heir.client.shortLinks = conn.client.shortLinks
	l.adopt(heir)
	return true
}

// lostSession returns the session that a new one replaces, or nil.
func (l *subConn) lostSession() *transport.Predecessor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.predecessor
}

// helloRead is called when the server has read which session a new session
// replaces.
func (l *subConn) helloRead(conn *Conn) {
	if conn.client.predecessor == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.predecessor == conn.client.predecessor {
		l.predecessor = nil
	}
}

// minLinkTime is how long a useful link lasts. After two consecutive shorter
// links, the replacement is delayed.
const minLinkTime = 250 * time.Millisecond

// relinkDelay returns the delay before a lost link is replaced.
func (l *subConn) relinkDelay(conn *Conn) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(conn.client.linkedAt) >= minLinkTime {
		conn.client.shortLinks = 0
		return 0
	}
	conn.client.shortLinks++
	return fullJitter(conn.client.shortLinks-2, initialDelay/2, initialLongDelay)
}
