package rpc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// Bounds of the rounds of an attempt while servers do not accept the client,
// because they go away or are overloaded. Beyond them the attempt has failed.
const (
	maxRounds      = 5
	maxRoundDelays = 2500 * time.Millisecond // total
)

// errNotAccepting is wrapped in the errors of servers that accept no new
// sessions for now, and have said so before they served a call.
var errNotAccepting = errors.New("the server accepts no new sessions for now")

// isNotAccepting reports whether another attempt may soon succeed.
func isNotAccepting(err error) bool {
	var h *ws.HandshakeError
	return errors.Is(err, errNotAccepting) || errors.As(err, &h) && h.Status == http.StatusServiceUnavailable
}

// connect starts a session with the first server that answers. If no server
// accepts the client for now, it makes a few more rounds.
func (sc *subConn) connect(a *dialAttempt) (conn *Conn, err error) {
	var waited time.Duration
	for round := range maxRounds {
		urls, free := sc.plan()
		pause := max(free, fullJitter(round, initialDelay/2, initialLongDelay))
		if waited += pause; waited > maxRoundDelays {
			break
		}
		if !sleep(a.ctx, pause) {
			return nil, errClientClosed
		}
		a.verify = a.verify || round > 0
		conn, err = sc.connectOnce(a, urls)
		if err == nil || !isNotAccepting(err) {
			return conn, err
		}
	}
	if err == nil {
		err = Errorf(CodeUnavailable, "%w: it has asked to retry later", errNotAccepting)
	}
	return nil, err
}

// plan returns the URLs in the order in which an attempt tries them, and how
// long it must wait before.
func (sc *subConn) plan() (urls []string, wait time.Duration) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	urls = slices.Clone(sc.urls)
	if i := slices.Index(urls, sc.avoidURL); i >= 0 {
		urls = slices.Delete(urls, i, i+1)
		if len(urls) == 0 || sc.conn == nil || !sc.conn.client.detached {
			urls = append(urls, sc.avoidURL) // otherwise the detached session dials it
		}
	}
	if sc.nextAddress != "" {
		urls = append([]string{sc.nextAddress}, urls...)
		sc.nextAddress = ""
	}
	return sc.retryAfter.filter(urls)
}

// errorRank ranks the errors of several servers: the most transient one counts.
func errorRank(err error) int {
	switch {
	case isNotAccepting(err):
		return 2
	case isTransient(err):
		return 1
	}
	return 0
}

// isTransient reports whether the reason for which there is no connection may
// pass.
func isTransient(err error) bool { return CodeOf(err) == CodeUnavailable }

// dial starts a session with a server.
func (sc *subConn) dial(ctx context.Context, a *dialAttempt, u string) (*Conn, error) {
	link, peer, err := sc.c.link(ctx, dialRequest{url: u, newSession: true})
	if err != nil {
		sc.noteRetryAfter(u, err)
		return nil, err
	}
	conn := sc.newConn(u, peer)
	conn.client.predecessor = sc.lostSession()
	if err := sc.c.startConn(conn, link, transport.Dialer); err != nil {
		return nil, err
	}
	if !a.verify {
		return conn, nil
	}
	if err := sc.verify(ctx, conn); err != nil {
		sc.discard(conn)
		return nil, err
	}
	return conn, nil
}

// newConn returns a new connection of the subConn.
func (sc *subConn) newConn(url string, peer Peer) *Conn {
	now := time.Now()
	conn := &Conn{client: clientConn{sub: sc, url: url, cookies: cookiesOf(peer.Header), startedAt: now, linkedAt: now}}
	conn.link.Store(&linkInfo{peer: peer})
	return conn
}

// noteRetryAfter records the Retry-After of a server.
func (sc *subConn) noteRetryAfter(u string, err error) {
	wait := retryAfterOf(err)
	if wait <= 0 {
		return
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.retryAfter.add(u, wait)
}

// verify waits until the server has answered a PING: then it has sent HELLO and
// accepts the client.
func (sc *subConn) verify(ctx context.Context, conn *Conn) error {
	ctx, cancel := context.WithTimeout(ctx, sc.c.preparation())
	defer cancel()
	sc.mu.Lock()
	conn.client.cancelVerify = cancel // if the link is lost
	sc.mu.Unlock()
	_, err := conn.sess.Ping(ctx)
	switch {
	case err == nil && conn.usable():
		return nil
	case err == nil, conn.wasTurnedAway():
		return Errorf(CodeUnavailable, "%w", errNotAccepting)
	case conn.sess.Err() != nil:
		return conn.Err()
	}
	return Errorf(CodeUnavailable, "the server does not answer on the new connection: %w", err)
}

// discard ends a connection that is not needed. If the server may have made
// calls on it, they finish first.
func (sc *subConn) discard(conn *Conn) {
	if conn.isEstablished() {
		conn.shutdown()
		return
	}
	sc.c.tasks.start(&sc.c.workers, func() { _ = conn.sess.Close(transport.CloseNormal, "session not needed") })
}

// wasTurnedAway reports whether the server has ended the session before it
// served anything, for a reason that does not concern the client.
func (c *Conn) wasTurnedAway() bool {
	var closed *transport.CloseError
	if !errors.As(c.sess.Err(), &closed) || !closed.Remote {
		return false
	}
	if why, ok := c.sess.PeerGoAway(); ok {
		return codeFrom(why.Status) == CodeUnavailable && why.LastStream == 0
	}
	if c.isEstablished() {
		return false
	}
	switch closed.Code {
	case transport.CloseGoingAway, transport.CloseServiceRestart, transport.CloseTryAgainLater,
		transport.CloseRefusal + transport.CloseCode(CodeUnavailable):
		return true
	}
	return false
}
