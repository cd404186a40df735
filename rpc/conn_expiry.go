package rpc

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/transport"
)

type expiryKey struct{}

// WithExpiry returns a context that carries the expiry of a handshake's
// credentials. It is for an Authenticator, or for HTTP middleware in front of a
// Server. The zero time means never.
//
// Up to 30 s before the expiry, the server announces that it goes away: the
// client makes another connection, with fresh credentials, for new calls. At
// the expiry the connection and the calls left on it end with
// CodeUnauthenticated, unless a link with fresh credentials has resumed the
// connection. Then their expiry applies. A handshake with expired credentials
// is refused.
func WithExpiry(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, expiryKey{}, t)
}

// Expiry returns the time that WithExpiry has set, if any.
func Expiry(ctx context.Context) (t time.Time, ok bool) {
	t, _ = ctx.Value(expiryKey{}).(time.Time)
	return t, !t.IsZero()
}

// lease is the time for which the credentials of a connection's link are valid.
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

// The notice comes when a fifth of the time is left, but at most maxNotice
// before the end. If the client still has the same credentials, the next notice
// follows the same rule.
const (
	noticeShare = 5
	maxNotice   = 30 * time.Second
)

// renewLease applies the credentials of the latest link; life.mu is held.
func (c *Conn) renewLease() {
	c.life.lease.stop()
	c.life.lease = nil
	expiry := c.link.Load().expiry
	if expiry.IsZero() || c.life.ended {
		return
	}
	left := time.Until(expiry)
	early := min(left/noticeShare, maxNotice)
	early -= randUpTo(early / 2) // spreads clients that have connected together
	l := new(lease)
	l.notice = time.AfterFunc(left-early, func() {
		if c.holds(l) {
			_ = c.sess.Announce(transport.GoAway{Reason: "the credentials expire soon"}) // an error means it has announced that before
		}
	})
	l.end = time.AfterFunc(left, func() {
		if c.holds(l) {
			c.expire()
		}
	})
	c.life.lease = l
}

// holds reports whether l is the lease of the latest link.
func (c *Conn) holds(l *lease) bool {
	c.started.Wait()
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.life.lease == l
}

// expire ends the connection.
func (c *Conn) expire() {
	const reason = "the credentials have expired"
	_ = c.sess.GoAway(transport.GoAway{Status: uint64(CodeUnauthenticated), Reason: reason}) // an error means that a GOAWAY was sent before
	_ = c.sess.Close(transport.CloseRefusal+transport.CloseCode(CodeUnauthenticated), reason)
}
