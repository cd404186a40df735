package rpc

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/transport"
)

type expiryKey struct{}

// WithExpiry returns a context that says when the credentials of a handshake expire. It is
// for an Authenticator, and for HTTP middleware in front of a Server; the zero time is never.
//
// Some time before, at most 30 s, the server gives notice: the client makes another
// connection, with fresh credentials, for new calls. At the expiry the connection ends with
// CodeUnauthenticated, and so do the calls that are left on it, unless a link with fresh
// credentials has resumed it. Then the expiry of those counts. Credentials that have expired
// already are refused.
func WithExpiry(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, expiryKey{}, t)
}

// expiryOf returns what WithExpiry has said, if anything.
func expiryOf(ctx context.Context) (t time.Time, ok bool) {
	t, _ = ctx.Value(expiryKey{}).(time.Time)
	return t, !t.IsZero()
}

// lease is the time for which the credentials of a connection's link are good.
type lease struct {
	notice, end *time.Timer
}

// stop ends the lease, which may be nil.
func (l *lease) stop() {
	if l != nil {
		l.notice.Stop()
		l.end.Stop()
	}
}

// The notice comes when a fifth of the time is left, but not earlier than mostNotice before
// the end. Where the client has the same credentials still, the next notice is as much later.
const (
	noticeShare = 5
	maxNotice   = 30 * time.Second
)

// renewLease has the credentials of the latest link count; c.mu is held.
func (c *Conn) renewLease() {
	c.life.lease.stop()
	c.life.lease = nil
	expiry := c.link.Load().expiry
	if expiry.IsZero() || c.life.ended {
		return
	}
	left := time.Until(expiry)
	early := min(left/noticeShare, maxNotice)
	early -= randUpTo(early / 2) // clients that have connected together do not all come back together
	l := new(lease)
	l.notice = time.AfterFunc(left-early, func() {
		if c.holds(l) {
			_ = c.sess.Announce(transport.GoAway{Reason: "the credentials expire soon"}) // else it goes away already
		}
	})
	l.end = time.AfterFunc(left, func() {
		if c.holds(l) {
			c.expire()
		}
	})
	c.life.lease = l
}

// holds reports whether the lease is that of the latest link.
func (c *Conn) holds(l *lease) bool {
	<-c.started
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.life.lease == l
}

// expire ends the connection.
func (c *Conn) expire() {
	const reason = "the credentials have expired"
	_ = c.sess.GoAway(transport.GoAway{Status: uint64(CodeUnauthenticated), Reason: reason}) // else that was said
	_ = c.sess.Close(transport.CloseRefusal+transport.CloseCode(CodeUnauthenticated), reason)
}
