package rpc

import (
	"time"

	"github.com/parley-rpc/parley/transport"
)

// elsewhereAfter is how long a server may take to resume a session before another one
// is tried for new calls.
const elsewhereAfter = time.Second

// lost is told that the link of a connection is lost. It returns the number of
// the loss.
func (l *line) lost(conn *Conn) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	conn.away = true
	conn.losses++
	if conn.unproven != nil {
		conn.unproven()
	}
	if l.conn == conn {
		l.lookElsewhere()
		l.settle()
	}
	return conn.losses
}

// lookElsewhere has another server tried beside the one whose session has lost its
// link, unless that answers soon. mu is held.
func (l *line) lookElsewhere() {
	if len(l.urls) > 1 && l.attempt == nil && !l.c.single {
		l.avoid = l.conn.url
		l.begin(&attempt{delay: elsewhereAfter, least: elsewhereAfter, sure: true})
	}
}

// notResumed is told that the server of a session without a link does not answer.
func (l *line) notResumed(conn *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.attempt; l.conn == conn && a != nil && a.delayed && !a.failed {
		a.rush()
	}
}

// resumed is told that a loss has been made good. There may be the next by now.
func (l *line) resumed(conn *Conn, loss int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if conn.losses != loss {
		return
	}
	conn.away, conn.linked = false, time.Now()
	if l.conn == conn {
		if !conn.leaving {
			l.callOff()
		}
		l.settle()
		l.review()
	}
}

// inherit puts the session that a link has brought, on which conn could not be
// resumed, in the place of that, which is about to end. It reports whether it is
// wanted.
func (l *line) inherit(conn, heir *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != conn || l.state == StateShutdown {
		return false
	}
	l.book(conn)
	l.callOff()
	heir.flaps = conn.flaps
	l.use(heir)
	return true
}

// givenUp returns the session that a new one replaces, nil if there is none.
func (l *line) givenUp() *transport.Predecessor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gaveUp
}

// greeted is told that the server has read what a new session replaces.
func (l *line) greeted(conn *Conn) {
	if conn.replaces == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gaveUp == conn.replaces {
		l.gaveUp = nil
	}
}

// shortLink is how long a link lasts at least, if it is any good. Of several in a row
// that do not, two are replaced at once.
const shortLink = 250 * time.Millisecond

// haste returns how long to wait before a link is made in place of one that was lost.
func (l *line) haste(conn *Conn) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(conn.linked) >= shortLink {
		conn.flaps = 0
		return 0
	}
	conn.flaps++
	return fullJitter(conn.flaps-2, firstDelay/2, firstLonger)
}
