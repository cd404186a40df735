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

// The bounds of the rounds that an attempt makes where servers turn the client away,
// because they are about to go or have too much to do. Beyond them it has failed.
const (
	maxRounds      = 5
	maxRoundDelays = 2500 * time.Millisecond // of pauses
)

// errTurnedAway is in the errors of servers that take no new sessions for now, and
// have told so before they have served a call.
var errNotAccepting = errors.New("the server takes no new sessions for now")

// isTurnedAway reports whether another try may soon get in.
func isNotAccepting(err error) bool {
	var h *ws.HandshakeError
	return errors.Is(err, errNotAccepting) || errors.As(err, &h) && h.Status == http.StatusServiceUnavailable
}

// connect starts a session with the first server that answers. Where the client is
// turned away, it goes round again a few times.
func (l *subConn) connect(a *dialAttempt) (conn *Conn, err error) {
	var waited time.Duration
	for round := range maxRounds {
		urls, free := l.plan()
		pause := max(free, fullJitter(round, initialDelay/2, initialLongDelay))
		if waited += pause; waited > maxRoundDelays {
			break
		}
		if !sleep(a.ctx, pause) {
			return nil, errClientClosed
		}
		a.verify = a.verify || round > 0
		conn, err = l.connectOnce(a, urls)
		if err == nil || !isNotAccepting(err) {
			return conn, err
		}
	}
	if err == nil {
		err = Errorf(CodeUnavailable, "%w: it has asked to come back later", errNotAccepting)
	}
	return nil, err
}

// plan returns the URLs in the order in which an attempt tries them, and how long it
// has to wait before.
func (l *subConn) plan() (urls []string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	urls = slices.Clone(l.urls)
	if i := slices.Index(urls, l.avoidURL); i >= 0 {
		urls = slices.Delete(urls, i, i+1)
		if len(urls) == 0 || l.conn == nil || !l.conn.client.detached {
			urls = append(urls, l.avoidURL) // else the session without a link tries it
		}
	}
	if l.nextAddress != "" {
		urls = append([]string{l.nextAddress}, urls...)
		l.nextAddress = ""
	}
	return l.retryAfter.filter(urls)
}

// hope ranks the errors of several servers: what may pass soon counts.
func errorRank(err error) int {
	switch {
	case isNotAccepting(err):
		return 2
	case isTransient(err):
		return 1
	}
	return 0
}

// passes reports whether the reason for which there is no connection may pass.
func isTransient(err error) bool { return CodeOf(err) == CodeUnavailable }

// dial starts a session with a server.
func (l *subConn) dial(ctx context.Context, a *dialAttempt, u string) (*Conn, error) {
	link, peer, err := l.c.link(ctx, dialRequest{url: u, newSession: true})
	if err != nil {
		l.noteRetryAfter(u, err)
		return nil, err
	}
	conn := l.newConn(u, peer)
	conn.client.predecessor = l.lostSession()
	if err := l.c.startConn(conn, link, transport.Dialer); err != nil {
		return nil, err
	}
	if !a.verify {
		return conn, nil
	}
	if err := l.verify(ctx, conn); err != nil {
		l.discard(conn)
		return nil, err
	}
	return conn, nil
}

// newConn returns a connection of the line that is about to begin.
func (l *subConn) newConn(url string, peer Peer) *Conn {
	now := time.Now()
	conn := &Conn{client: clientConn{sub: l, url: url, cookies: cookiesOf(peer.Header), startedAt: now, linkedAt: now}}
	conn.link.Store(&linkInfo{peer: peer})
	return conn
}

// hold notes when a server wants to be asked again.
func (l *subConn) noteRetryAfter(u string, err error) {
	wait := retryAfterOf(err)
	if wait <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retryAfter.add(u, wait)
}

// prove waits until the server has answered a PING: then it has greeted, and has not
// turned the client away.
func (l *subConn) verify(ctx context.Context, conn *Conn) error {
	ctx, cancel := context.WithTimeout(ctx, l.c.preparation())
	defer cancel()
	l.mu.Lock()
	conn.client.cancelVerify = cancel // if the link is lost
	l.mu.Unlock()
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

// discard ends a connection that is not needed. Calls of the server on it, if there
// may be some, are finished before.
func (l *subConn) discard(conn *Conn) {
	if conn.isEstablished() {
		conn.shutdown()
		return
	}
	l.c.tasks.start(&l.c.workers, func() { _ = conn.sess.Close(transport.CloseNormal, "not needed") })
}

// turnedAway reports whether the server has ended the session without having served
// anything on it, for a reason that is no verdict on the client.
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
