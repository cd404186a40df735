package rpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// prepareSuccessor prepares for the end of the session, which the server has
// announced. It dials a successor at the time that the server has named or when
// a call starts. Calls use the old session until the successor has answered. mu
// is held.
func (l *subConn) prepareSuccessor() {
	conn := l.conn
	conn.client.draining = true
	pause := l.noteGoAway(conn)
	least := backoff(l.countShortSession(conn))
	switch {
	case l.c.single:
		l.publish() // a connection of Dial has no successor
	case l.c.otherReady(l):
		l.releaseConn(max(pause, least))
	case l.dialAttempt != nil:
		l.publish() // another session is being made already
	default:
		l.startDial(&dialAttempt{delay: max(pause, least), minDelay: least, verify: true})
	}
}

// noteGoAway records what a departing server says about the next session, and
// returns the delay before it. mu is held.
func (l *subConn) noteGoAway(conn *Conn) (pause time.Duration) {
	info, _ := conn.sess.PeerGoAway()
	l.avoidURL = conn.client.url
	l.nextAddress = acceptable(conn.client.url, info.Address)
	return min(info.Wait(), maxLongDelay)
}

// releaseConn stops using the session of a departing server while other
// subConns serve the calls. It dials the server again later. mu is held.
func (l *subConn) releaseConn(pause time.Duration) {
	conn := l.conn
	l.conn = nil
	l.cancelDial()
	l.startDial(&dialAttempt{delay: max(pause, initialLongDelay/2+rand.N(initialLongDelay/2)), verify: true})
	conn.shutdown()
}

// releaseDraining lets other subConns release the sessions of departing
// servers, now that one has another session.
func (c *Client) releaseDraining(ready *subConn) {
	for _, l := range c.subConns {
		if l == ready {
			continue
		}
		l.mu.Lock()
		if l.conn != nil && l.conn.client.draining && c.otherReady(l) {
			l.releaseConn(0)
		}
		l.mu.Unlock()
	}
}

// otherReady reports whether another subConn has a session that stays.
func (c *Client) otherReady(than *subConn) bool {
	for _, l := range c.subConns {
		if conn := l.ready.Load(); l != than && conn != nil && conn.usable() {
			return true
		}
	}
	return false
}

// countShortSession counts a short session as a failed attempt, once, and
// returns the number of failures before it. mu is held.
func (l *subConn) countShortSession(conn *Conn) (before int) {
	if time.Since(conn.client.startedAt) >= maxDelay {
		l.failures = 0
	}
	before = l.failures
	if time.Since(conn.client.startedAt) < maxDelay && !conn.client.counted {
		l.failures++
	}
	conn.client.counted = true
	return before
}

// dropConn stops using the session, which has ended or accepts no more calls,
// and decides when to reconnect. mu is held.
func (l *subConn) dropConn() {
	conn := l.conn
	l.conn = nil
	var closed *transport.CloseError
	if errors.As(conn.sess.Err(), &closed) {
		l.dropEnded(conn, closed)
	} else {
		l.dropDraining(conn)
	}
}

// dropDraining is dropConn for a session whose server accepts no new calls.
// They wait for the next session. This is not a failure. mu is held.
func (l *subConn) dropDraining(conn *Conn) {
	info, _ := conn.sess.PeerGoAway()
	why := Errorf(CodeUnavailable, "the server goes away: %s", info.Reason)
	pause := l.noteGoAway(conn)
	least := backoff(l.countShortSession(conn))
	switch a := l.dialAttempt; {
	case l.c.single:
		l.scheduleReconnect(why, false, 0)
	case a == nil:
		l.startDial(&dialAttempt{delay: max(pause, least), minDelay: least, verify: true})
	case a.waiting && a.afterFailure:
		a.afterFailure = false
		a.skipDelay()
		l.publish()
	default:
		l.publish()
	}
	conn.shutdown()
}

// dropEnded is dropConn for a session that has ended. mu is held.
func (l *subConn) dropEnded(conn *Conn, closed *transport.CloseError) {
	before := l.countShortSession(conn)
	if lost := conn.sess.AsPredecessor(); lost != nil && !closed.Remote {
		l.predecessor = lost
	}
	back := reconnectPolicyOf(closed.Code)
	if back == reconnectNever {
		l.cancelDial()
	}
	switch {
	case closed.Code == transport.CloseNormal:
		l.failures, l.err = 0, nil
		l.publish()
	case back == reconnectNever:
		l.scheduleReconnect(conn.Err(), false, l.delayAfter(conn, back, before))
	case l.dialAttempt != nil:
		l.err = conn.Err()
		l.publish()
	case conn.wasTurnedAway() && time.Since(conn.client.startedAt) < maxDelay && !l.c.single:
		l.avoidURL, l.err = conn.client.url, conn.Err()
		l.startDial(&dialAttempt{delay: backoff(before), minDelay: backoff(before), verify: true})
	default:
		l.scheduleReconnect(conn.Err(), true, l.delayAfter(conn, back, before))
	}
}

// delayAfter returns the delay before reconnecting after the end of a session.
func (l *subConn) delayAfter(conn *Conn, back reconnectPolicy, before int) time.Duration {
	info, _ := conn.sess.PeerGoAway()
	return max(min(info.Wait(), maxLongDelay), back.delay(before))
}

// shutdown lets a connection finish its calls and end. No new calls are made on
// it.
func (c *Conn) shutdown() {
	client := c.client.sub.c
	client.tasks.start(&client.workers, func() {
		<-c.started
		_ = c.sess.Shutdown(context.Background()) // returns when the session has ended
	})
}

// onGoAway is called when the server announces that it goes away.
func (c *Conn) onGoAway(*transport.Session) {
	c.e.workers.runFunc(func() {
		<-c.started
		c.client.sub.connChanged(c)
	})
}

// acceptable returns the address that a server has named if it is on the dialed
// server, because credentials must not be sent elsewhere (PROTOCOL.md, section
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
