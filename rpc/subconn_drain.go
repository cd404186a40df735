package rpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// moveOn prepares for the end of the session, of which the server has given notice: a
// successor is dialled beside it, at the time that the server has said or when a call
// starts. Calls go on over the old session until the successor has answered. mu is held.
func (l *line) moveOn() {
	conn := l.conn
	conn.leaving = true
	pause := l.goesAway(conn)
	least := backoff(l.book(conn))
	switch {
	case l.c.single:
		l.settle() // a connection that was dialled has no successor
	case l.c.othersReady(l):
		l.letGo(max(pause, least))
	case l.attempt != nil:
		l.settle() // it is another session already that is being made
	default:
		l.begin(&attempt{delay: max(pause, least), least: least, sure: true})
	}
}

// goesAway takes over what a server that goes away says of the next session: it
// returns when that is due. mu is held.
func (l *line) goesAway(conn *Conn) (pause time.Duration) {
	info, _ := conn.sess.PeerGoAway()
	l.avoid = conn.url
	l.address = acceptable(conn.url, info.Address)
	return min(info.Wait(), mostLonger)
}

// letGo leaves a session that goes away, where other lines serve the calls. The
// server is asked again later. mu is held.
func (l *line) letGo(pause time.Duration) {
	conn := l.conn
	l.conn = nil
	l.callOff()
	l.begin(&attempt{delay: max(pause, firstLonger/2+rand.N(firstLonger/2)), sure: true})
	conn.leave()
}

// relieve lets other lines leave sessions that go away, now that one has another.
func (c *Client) relieve(ready *line) {
	for _, l := range c.lines {
		if l == ready {
			continue
		}
		l.mu.Lock()
		if l.conn != nil && l.conn.leaving && c.othersReady(l) {
			l.letGo(0)
		}
		l.mu.Unlock()
	}
}

// othersReady reports whether another line has a session that stays.
func (c *Client) othersReady(than *line) bool {
	for _, l := range c.lines {
		if conn := l.ready.Load(); l != than && conn != nil && conn.usable() {
			return true
		}
	}
	return false
}

// book counts a session that was short as a failed attempt, once, and returns how many
// there were before it. mu is held.
func (l *line) book(conn *Conn) (before int) {
	if time.Since(conn.since) >= mostDelay {
		l.failures = 0
	}
	before = l.failures
	if time.Since(conn.since) < mostDelay && !conn.booked {
		l.failures++
	}
	conn.booked = true
	return before
}

// drop has no new calls made on the session, which has ended or takes none any more,
// and decides when to come back. mu is held.
func (l *line) drop() {
	conn := l.conn
	l.conn = nil
	var closed *transport.CloseError
	if errors.As(conn.sess.Err(), &closed) {
		l.dropEnded(conn, closed)
	} else {
		l.dropDraining(conn)
	}
}

// dropDraining is drop for a session whose server takes no new calls on it any more.
// They wait for the next session, for which nothing has failed. mu is held.
func (l *line) dropDraining(conn *Conn) {
	info, _ := conn.sess.PeerGoAway()
	why := Errorf(CodeUnavailable, "the server goes away: %s", info.Reason)
	pause := l.goesAway(conn)
	least := backoff(l.book(conn))
	switch a := l.attempt; {
	case l.c.single:
		l.comeBack(why, false, 0)
	case a == nil:
		l.begin(&attempt{delay: max(pause, least), least: least, sure: true})
	case a.delayed && a.failed:
		a.failed = false
		a.rush()
		l.settle()
	default:
		l.settle()
	}
	conn.leave()
}

// dropEnded is drop for a session that has ended. mu is held.
func (l *line) dropEnded(conn *Conn, closed *transport.CloseError) {
	before := l.book(conn)
	if lost := conn.sess.AsPredecessor(); lost != nil && !closed.Remote {
		l.gaveUp = lost
	}
	back := comebackAfter(closed.Code)
	if back == stayClosed {
		l.callOff()
	}
	switch {
	case closed.Code == transport.CloseNormal:
		l.failures, l.err = 0, nil
		l.settle()
	case back == stayClosed:
		l.comeBack(conn.Err(), false, l.pauseAfter(conn, back, before))
	case l.attempt != nil:
		l.err = conn.Err()
		l.settle()
	case conn.turnedAway() && time.Since(conn.since) < mostDelay && !l.c.single:
		l.avoid, l.err = conn.url, conn.Err()
		l.begin(&attempt{delay: backoff(before), least: backoff(before), sure: true})
	default:
		l.comeBack(conn.Err(), true, l.pauseAfter(conn, back, before))
	}
}

// pauseAfter returns how long to stay away after the end of a session.
func (l *line) pauseAfter(conn *Conn, back comeback, before int) time.Duration {
	info, _ := conn.sess.PeerGoAway()
	return max(min(info.Wait(), mostLonger), back.delay(before))
}

// leave has a connection finish its calls and end. New calls are not made on it.
func (c *Conn) leave() {
	client := c.line.c
	client.tasks.do(&client.workers, func() {
		<-c.started
		_ = c.sess.Shutdown(context.Background()) // ends with the session
	})
}

// onGoAway takes over that the server goes away.
func (c *Conn) onGoAway(*transport.Session) {
	c.e.workers.do(func() {
		<-c.started
		c.line.changedConn(c)
	})
}

// acceptable returns the address that a server has named, if it is on the server
// that was dialled: credentials must not be led elsewhere (PROTOCOL.md, section
// "Address").
func acceptable(dialled, address string) string {
	from, err := url.Parse(dialled)
	to, toErr := url.Parse(address)
	if err != nil || toErr != nil || from.Scheme != to.Scheme || to.User != nil ||
		from.Hostname() != to.Hostname() || port(from) != port(to) {
		return ""
	}
	return address
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "wss" || u.Scheme == "https" {
		return "443"
	}
	return "80"
}
