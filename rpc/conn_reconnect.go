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
func (c *Conn) onLinkLost(*transport.Session, error) {
	loss := c.client.sub.linkLost(c)
	c.notifyDetached()
	c.e.workers.runFunc(func() {
		<-c.started
		if c.reconnect() {
			c.client.sub.resumed(c, loss)
		}
	})
}

// resume makes links until the session goes on with one, or has ended. The first
// is made at once, the others with growing, random delays.
func (c *Conn) reconnect() bool {
	if !c.wait(c.client.sub.relinkDelay(c)) {
		return false
	}
	again := c.client.sub.c.renews() // once, when they were refused
	for failures := 0; ; failures++ {
		back := reconnectWithBackoff
		err := c.reconnectOnce()
		var closed *transport.CloseError
		switch {
		case err == nil:
			return true
		case c.sess.Err() != nil:
			return false
		case errors.As(err, &closed):
			back = reconnectPolicyOf(closed.Code)
			err = transportError(err)
		}
		refused := CodeOf(err)
		switch {
		case refused == CodeUnauthenticated && again:
			again = false
		case back == reconnectNever, closed == nil && isStatus(err) && !isTransient(err) && !isMalformedHandshake(err):
			// The session is over for good, with that status.
			_ = c.sess.Close(transport.CloseRefusal+transport.CloseCode(refused), err.Error())
			return false
		}
		c.client.sub.resumeFailed(c)
		if !c.wait(max(back.delay(failures), retryAfterOf(err))) {
			return false
		}
	}
}

// resumeOnce makes a link and asks the server to resume the session on it. If the server
// does not know it, the link carries the session that takes its place.
func (c *Conn) reconnectOnce() error {
	client := c.client.sub.c
	link, peer, err := client.link(client.ctx, dialRequest{url: c.client.url, cookies: c.client.cookies})
	if err != nil {
		return err
	}
	known := &handshakeLink{link, &linkInfo{peer: peer}}
	_, err = c.sess.Resume(context.Background(), known, func(start func(transport.Config) (*transport.Session, error)) {
		if client.single {
			return // a connection that was dialled has no successor
		}
		heir := c.client.sub.newConn(c.client.url, peer)
		cfg := client.prepare(heir)
		sess, err := start(cfg)
		if err != nil {
			return
		}
		switch {
		case client.register(heir, sess) != nil:
			c.client.sub.discard(heir)
		case !c.client.sub.replaceConn(c, heir):
			heir.shutdown() // the server may have made calls on it
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
func isMalformedHandshake(err error) bool {
	var h *ws.HandshakeError
	return errors.As(err, &h) && h.Status == http.StatusBadRequest && len(h.ServerSubprotocols) == 0
}

// pause waits, and tells whether the connection is still there afterwards.
func (c *Conn) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.sess.Done():
		return false
	}
}
