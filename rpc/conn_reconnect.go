package rpc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// onLost makes another link, on which the connection goes on.
func (c *Conn) onLost(*transport.Session, error) {
	loss := c.line.lost(c)
	c.tellAway()
	c.e.workers.do(func() {
		<-c.started
		if c.resume() {
			c.line.resumed(c, loss)
		}
	})
}

// resume makes links until the session goes on with one, or has ended. The first
// is made at once, the others with growing, random delays.
func (c *Conn) resume() bool {
	if !c.pause(c.line.haste(c)) {
		return false
	}
	again := c.line.c.renews() // once, when they were refused
	for failures := 0; ; failures++ {
		back := backOff
		err := c.resumeOnce()
		var closed *transport.CloseError
		switch {
		case err == nil:
			return true
		case c.sess.Err() != nil:
			return false
		case errors.As(err, &closed):
			back = comebackAfter(closed.Code)
			err = transportError(err)
		}
		refused := CodeOf(err)
		switch {
		case refused == CodeUnauthenticated && again:
			again = false
		case back == stayClosed, closed == nil && isStatus(err) && !passes(err) && !isGarbled(err):
			// The session is over for good, with that status.
			_ = c.sess.Close(transport.CloseRefusal+transport.CloseCode(refused), err.Error())
			return false
		}
		c.line.notResumed(c)
		if !c.pause(max(back.delay(failures), askedToWait(err))) {
			return false
		}
	}
}

// resumeOnce makes a link and asks the server to resume the session on it. If the server
// does not know it, the link carries the session that takes its place.
func (c *Conn) resumeOnce() error {
	client := c.line.c
	link, peer, err := client.link(client.life, handshake{url: c.url, cookies: c.cookies})
	if err != nil {
		return err
	}
	known := &knownLink{link, &linkInfo{peer: peer}}
	_, err = c.sess.Resume(context.Background(), known, func(start func(transport.Config) (*transport.Session, error)) {
		if client.single {
			return // a connection that was dialled has no successor
		}
		heir := c.line.newConn(c.url, peer)
		cfg := client.prepare(heir)
		sess, err := start(cfg)
		if err != nil {
			return
		}
		switch {
		case client.begun(heir, sess) != nil:
			c.line.discard(heir)
		case !c.line.inherit(c, heir):
			heir.leave() // the server may have made calls on it
		}
	})
	return err
}

// isStatus tells whether the server, or this end, has decided on a status. An
// attempt to resume also fails because its link is lost or slow.
func isStatus(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// isGarbled tells whether the server has not understood the handshake. It had understood
// the one before, so this one was cut or damaged on its way, as a link that breaks just
// then does it.
func isGarbled(err error) bool {
	var h *ws.HandshakeError
	return errors.As(err, &h) && h.Status == http.StatusBadRequest && len(h.ServerSubprotocols) == 0
}

// pause waits, and tells whether the connection is still there afterwards.
func (c *Conn) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.sess.Done():
		return false
	}
}
