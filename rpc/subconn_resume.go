package rpc

import (
	"time"

	"github.com/parley-rpc/parley/transport"
)

// elsewhereAfter is how long a server may take to resume a session before another one
// is tried for new calls.
const alternativeDelay = time.Second

// lost is told that the link of a connection is lost. It returns the number of
// the loss.
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

// lookElsewhere has another server tried beside the one whose session has lost its
// link, unless that answers soon. mu is held.
func (l *subConn) dialAlternative() {
	if len(l.urls) > 1 && l.dialAttempt == nil && !l.c.single {
		l.avoidURL = l.conn.client.url
		l.startDial(&dialAttempt{delay: alternativeDelay, minDelay: alternativeDelay, verify: true})
	}
}

// notResumed is told that the server of a session without a link does not answer.
func (l *subConn) resumeFailed(conn *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.dialAttempt; l.conn == conn && a != nil && a.waiting && !a.afterFailure {
		a.skipDelay()
	}
}

// resumed is told that a loss has been made good. There may be the next by now.
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

// inherit puts the session that a link has brought, on which conn could not be
// resumed, in the place of that, which is about to end. It reports whether it is
// wanted.
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

// givenUp returns the session that a new one replaces, nil if there is none.
func (l *subConn) lostSession() *transport.Predecessor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.predecessor
}

// greeted is told that the server has read what a new session replaces.
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

// shortLink is how long a link lasts at least, if it is any good. Of several in a row
// that do not, two are replaced at once.
const minLinkTime = 250 * time.Millisecond

// haste returns how long to wait before a link is made in place of one that was lost.
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
