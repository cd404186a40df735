package rpc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/ws"
)

// onLinkLost starts to make another link for the connection.
func (c *Conn) onLinkLost(*transport.Session, error) {
	loss := c.client.sub.linkLost(c)
	c.notifyDetached()
	c.e.workers.runFunc(func() {
		c.started.Wait()
		if c.reconnect() {
			c.client.sub.resumed(c, loss)
		}
	})
}

// reconnect makes links until the session resumes on one or has ended. It makes
// the first at once, and the others after growing random delays.
func (c *Conn) reconnect() bool {
	if !c.wait(c.client.sub.relinkDelay(c)) {
		return false
	}
	again := c.client.sub.c.renews() // retry once if the credentials were refused
	for failures := 0; ; failures++ {
		policy := reconnectWithBackoff
		err := c.reconnectOnce()
		var closed *transport.CloseError
		switch {
		case err == nil:
			return true
		case c.sess.Err() != nil:
			return false
		case errors.As(err, &closed):
			policy = reconnectPolicyOf(closed.Code)
			err = transportError(err)
		}
		refused := CodeOf(err)
		switch {
		case refused == CodeUnauthenticated && again:
			again = false
		case policy == reconnectNever, closed == nil && isStatus(err) && !isTransient(err) && !isMalformedHandshake(err):
			// The session cannot be resumed; its calls fail with this status.
			_ = c.sess.Close(transport.CloseRefusal+transport.CloseCode(refused), err.Error())
			return false
		}
		c.client.sub.resumeFailed(c)
		if !c.wait(max(policy.delay(failures), retryAfterOf(err))) {
			return false
		}
	}
}

// reconnectOnce makes a link and asks the server to resume the session on it.
// If the server does not know the session, the link carries a new session that
// replaces it.
func (c *Conn) reconnectOnce() error {
	client := c.client.sub.c
	link, peer, err := client.link(client.ctx, dialRequest{url: c.client.url, cookies: c.client.cookies})
	if err != nil {
		return err
	}
	known := &handshakeLink{link, &linkInfo{peer: peer}}
	_, err = c.sess.Resume(context.Background(), known, func(start func(transport.Config) (*transport.Session, error)) {
		if client.single || !c.client.sub.claimSuccession(c) {
			return // a connection of Dial has no successor, and one that calls have left needs none
		}
		successor := c.client.sub.newConn(c.client.url, peer)
		cfg := client.prepare(successor)
		sess, err := start(cfg)
		if err != nil {
			return
		}
		switch {
		case client.register(successor, sess) != nil:
			c.client.sub.discard(successor)
		case !c.client.sub.replaceConn(c, successor):
			successor.shutdown() // the server may have made calls on it already
		}
	})
	return err
}

// isStatus reports whether the server or this end has decided on a status. An
// attempt to resume also fails if its link is lost or slow.
func isStatus(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

// isMalformedHandshake reports whether the server could not parse the
// handshake. The server could parse the previous one, so this one was truncated
// or damaged in transit, as by a link that breaks.
func isMalformedHandshake(err error) bool {
	var h *ws.HandshakeError
	return errors.As(err, &h) && h.Status == http.StatusBadRequest && len(h.ServerSubprotocols) == 0
}

// wait waits for d, and reports whether the connection still exists afterwards.
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
