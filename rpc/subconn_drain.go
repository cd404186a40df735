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
func (sc *subConn) prepareSuccessor() {
	conn := sc.conn
	conn.client.draining = true
	pause := sc.noteGoAway(conn)
	least := backoff(sc.countShortSession(conn))
	switch {
	case sc.c.single:
		sc.publish() // a connection of Dial has no successor
	case sc.c.otherReady(sc):
		sc.releaseConn(max(pause, least))
	case sc.dialAttempt != nil:
		sc.publish() // another session is being made already
	default:
		sc.startDial(&dialAttempt{delay: max(pause, least), minDelay: least, verify: true})
	}
}

// noteGoAway records what a departing server says about the next session, and
// returns the delay before it. mu is held.
func (sc *subConn) noteGoAway(conn *Conn) (pause time.Duration) {
	info, _ := conn.sess.PeerGoAway()
	sc.avoidURL = conn.client.url
	sc.nextAddress = acceptable(conn.client.url, info.Address)
	return min(info.Wait(), maxLongDelay)
}

// releaseConn stops using the session of a departing server while other
// subConns serve the calls. It dials the server again later. mu is held.
func (sc *subConn) releaseConn(pause time.Duration) {
	conn := sc.conn
	sc.conn = nil
	sc.cancelDial()
	sc.startDial(&dialAttempt{delay: max(pause, initialLongDelay/2+rand.N(initialLongDelay/2)), verify: true})
	conn.shutdown()
}

// releaseDraining lets other subConns release the sessions of departing
// servers, now that one has another session.
func (c *Client) releaseDraining(ready *subConn) {
	for _, sc := range c.subConns {
		if sc == ready {
			continue
		}
		sc.mu.Lock()
		if sc.conn != nil && sc.conn.client.draining && c.otherReady(sc) {
			sc.releaseConn(0)
		}
		sc.mu.Unlock()
	}
}

// otherReady reports whether another subConn has a session that stays.
func (c *Client) otherReady(than *subConn) bool {
	for _, sc := range c.subConns {
		if conn := sc.ready.Load(); sc != than && conn != nil && conn.usable() {
			return true
		}
	}
	return false
}

// countShortSession counts a short session as a failed attempt, once, and
// returns the number of failures before it. mu is held.
func (sc *subConn) countShortSession(conn *Conn) (before int) {
	if time.Since(conn.client.startedAt) >= maxDelay {
		sc.failures = 0
	}
	before = sc.failures
	if time.Since(conn.client.startedAt) < maxDelay && !conn.client.counted {
		sc.failures++
	}
	conn.client.counted = true
	return before
}

// dropConn stops using the session, which has ended or accepts no more calls,
// and decides when to reconnect. mu is held.
func (sc *subConn) dropConn() {
	conn := sc.conn
	sc.conn = nil
	var closed *transport.CloseError
	if errors.As(conn.sess.Err(), &closed) {
		sc.dropEnded(conn, closed)
	} else {
		sc.dropDraining(conn)
	}
}

// dropDraining is dropConn for a session whose server accepts no new calls.
// They wait for the next session. This is not a failure. mu is held.
func (sc *subConn) dropDraining(conn *Conn) {
	info, _ := conn.sess.PeerGoAway()
	why := Errorf(CodeUnavailable, "the peer sent GOAWAY: %s", info.Reason)
	pause := sc.noteGoAway(conn)
	least := backoff(sc.countShortSession(conn))
	switch a := sc.dialAttempt; {
	case sc.c.single:
		sc.scheduleReconnect(why, false, 0)
	case a == nil:
		sc.startDial(&dialAttempt{delay: max(pause, least), minDelay: least, verify: true})
	case a.waiting && a.afterFailure:
		a.afterFailure = false
		a.skipDelay()
		sc.publish()
	default:
		sc.publish()
	}
	conn.shutdown()
}

// dropEnded is dropConn for a session that has ended. mu is held.
func (sc *subConn) dropEnded(conn *Conn, closed *transport.CloseError) {
	before := sc.countShortSession(conn)
	if lost := conn.sess.AsPredecessor(); lost != nil && !closed.Remote {
		sc.predecessor = lost
	}
	policy := reconnectPolicyOf(closed.Code)
	if policy == reconnectNever {
		sc.cancelDial()
	}
	switch {
	case closed.Code == transport.CloseNormal:
		sc.failures, sc.err = 0, nil
		sc.publish()
	case policy == reconnectNever:
		sc.scheduleReconnect(conn.Err(), false, sc.delayAfter(conn, policy, before))
	case sc.dialAttempt != nil:
		sc.err = conn.Err()
		sc.publish()
	case conn.wasTurnedAway() && time.Since(conn.client.startedAt) < maxDelay && !sc.c.single:
		sc.avoidURL, sc.err = conn.client.url, conn.Err()
		sc.startDial(&dialAttempt{delay: backoff(before), minDelay: backoff(before), verify: true})
	default:
		sc.scheduleReconnect(conn.Err(), true, sc.delayAfter(conn, policy, before))
	}
}

// delayAfter returns the delay before reconnecting after the end of a session.
func (sc *subConn) delayAfter(conn *Conn, policy reconnectPolicy, before int) time.Duration {
	info, _ := conn.sess.PeerGoAway()
	return max(min(info.Wait(), maxLongDelay), policy.delay(before))
}

// shutdown lets a connection finish its calls and end. No new calls are made on
// it.
func (c *Conn) shutdown() {
	client := c.client.sub.c
	client.tasks.start(&client.workers, func() {
		c.started.Wait()
		_ = c.sess.Shutdown(context.Background()) // returns when the session has ended
	})
}

// onGoAway is called when the server announces that it goes away.
func (c *Conn) onGoAway(*transport.Session) {
	c.e.workers.runFunc(func() {
		c.started.Wait()
		c.client.sub.connChanged(c)
	})
}

// acceptable returns the address that a server has named if it is on the dialed
// server, because credentials must not be sent elsewhere (PROTOCOL.md, section
// "Address").
func acceptable(dialed, address string) string {
	from, err := url.Parse(dialed)
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
