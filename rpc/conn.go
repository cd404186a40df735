package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Conn is a connection. It is the same type at both ends: each end can make
// calls on it and serve the calls of the peer.
type Conn struct {
	e         *endpoint
	id        uint64         // see ID
	started   sync.WaitGroup // until sess is set
	sess      *transport.Session
	link      atomic.Pointer[linkInfo] // of the latest link
	aliases   methodAliases
	inflight  atomic.Int64 // calls of the peer that are being served
	inflation inflationShare

	client clientConn // zero at a server
	server serverConn // zero at a client
	life   connLife
	events connEvents
}

// serverConn is what a server knows about the client of a connection. It does
// not change.
type serverConn struct {
	base      context.Context // see Conn.Context; nil: context.Background
	principal string          // the authenticated principal; empty: none
	unnamed   bool            // the authentication named no principal
	identity  string          // what a link must match to resume the connection, see binding
	owner     string          // the limits of detached connections count it for this owner
}

// connLife is how far a connection has come.
type connLife struct {
	mu          sync.Mutex
	established bool // the OnConnect hooks are called or about to be called
	ended       bool
	ageTimer    *time.Timer // at a server: ends the connection at its maximum age; nil: none
	lease       *lease      // at a server: of the latest link's credentials; nil: they do not expire

	why atomic.Pointer[Error] // of End; nil: it was not called
}

// Open starts a call to the peer.
func (c *Conn) Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error) {
	s, err := newClientStream(c.e, c, m, opts)
	if err != nil {
		return nil, err
	}
	return s.start(ctx, c.e)
}

// openSend is Open for a call that takes one message, and sends that message.
func (c *Conn) openSend(ctx context.Context, m *Method, only any, opts []CallOption) (Stream, error) {
	s, err := newClientStream(c.e, c, m, opts)
	if err != nil {
		return nil, err
	}
	return s.startSend(ctx, c.e, only)
}

// newUnary prepares a unary call.
func (c *Conn) newUnary(m *Method, opts []CallOption) (*clientStream, *endpoint, error) {
	s, err := newClientStream(c.e, c, m, opts)
	return s, c.e, err
}

// Peer returns the peer as described by the handshake of the latest link. A
// link that resumes the connection may come from another address and with other
// headers. The returned value does not change.
func (c *Conn) Peer() *Peer { return &c.link.Load().peer }

// Ping sends a ping to the peer and returns the round-trip time.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	rtt, err := c.sess.Ping(ctx)
	return rtt, c.failure(err)
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.sess.Done() }

// Err returns why the connection has ended, nil while it has not.
func (c *Conn) Err() error { return c.failure(c.sess.Err()) }

// failure returns the status of a call that fails with err. If the connection
// has ended and the peer has given a reason, the reason is the status.
func (c *Conn) failure(err error) error {
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		if why := c.ownReason(closed); why != nil {
			return why
		}
		if why, ok := c.sess.PeerGoAway(); ok && why.Status != 0 {
			return Errorf(codeFrom(why.Status), "the peer sent GOAWAY: %s", why.Reason)
		}
	}
	return transportError(err)
}

// Close ends the connection. Calls in flight fail at both ends.
func (c *Conn) Close() error {
	return c.sess.Close(transport.CloseNormal, "closed by the application")
}

// clientConn is what a client's subConn keeps about a connection.
type clientConn struct {
	sub         *subConn
	url         string                 // that was dialed
	cookies     []*http.Cookie         // that the server set when the connection began
	startedAt   time.Time              // when the connection began
	predecessor *transport.Predecessor // the session that it replaces; nil: none

	// subConn.mu guards the rest.

	detached     bool      // the link is lost
	losses       int       // lost links so far
	linkedAt     time.Time // when the current link began
	shortLinks   int       // consecutive links that were lost within minLinkTime
	draining     bool      // the server has sent a GOAWAY notice, and the subConn acts on it
	counted      bool      // countShortSession has seen the connection
	cancelVerify func()    // stops the wait for the server's first answer; nil: none
}

// usable reports whether new calls can be made.
func (c *Conn) usable() bool { return c.sess.CanOpen() }

// hasGoAwayNotice reports whether the peer has announced that it goes away.
func (c *Conn) hasGoAwayNotice() bool {
	info, ok := c.sess.PeerGoAway()
	return ok && info.Notice()
}

// ending reports whether the peer has announced why it ends the connection now,
// and has not yet ended it.
func (c *Conn) ending() bool {
	why, ok := c.sess.PeerGoAway()
	return ok && why.Status != 0 && c.sess.Err() == nil
}

// onHello starts a new connection. It runs on the reader goroutine.
func (c *Conn) onHello(s *transport.Session) {
	if c.client.sub != nil {
		c.client.sub.helloRead(c)
	}
	if c.e.makeRoom != nil {
		c.e.makeRoom(c)
	}
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	switch {
	case c.life.ended:
		return
	case c.e.conns.isDraining():
		c.refuseDraining(s)
		return
	}
	c.life.established = true
	c.startAgeTimer(c.e.maxAge)
	c.renewLease()
	if len(c.e.hooks.onConnect) == 0 && !c.notes(slog.LevelDebug) {
		return // no goroutine for nothing, while the first call is served
	}
	c.enqueueEvent(func() {
		c.logStarted()
		for _, f := range c.e.hooks.onConnect {
			f(c)
		}
	})
}

// onResumed moves the connection to another link, before anything of that link
// is read.
func (c *Conn) onResumed(s *transport.Session) {
	c.setLink(s)
	c.e.detached.remove(c)
	c.life.mu.Lock()
	c.renewLease()
	c.life.mu.Unlock()
	if c.events.unseen.Load() > 0 {
		c.events.unseen.Add(-1)
		return
	}
	c.logResumed()
	c.notifyResumed()
}

// onEnd cleans up an ended connection.
func (c *Conn) onEnd(err error) {
	c.life.mu.Lock()
	c.life.ended = true
	c.stopAgeTimer()
	c.life.lease.stop()
	established := c.life.established
	c.life.mu.Unlock()
	c.e.detached.remove(c)
	if c.client.sub != nil {
		c.client.sub.connChanged(c)
	}
	c.e.conns.remove(c)
	c.enqueueEvent(func() {
		if established || cutOff(err) {
			c.logEnd(err)
		}
		if established {
			c.deliverEnd(err)
		}
		if c.e.single {
			c.e.workers.close()
		}
	})
}

// Context returns a context that never ends. At a server it has the values of
// the handshake that began the connection: those of the context that
// WithAuthentication returned or, without it, those of the request's context,
// to which HTTP middleware may have added some. Contexts of handlers have the
// same values. At a client it is context.Background.
func (c *Conn) Context() context.Context {
	if c.server.base == nil {
		return context.Background()
	}
	return c.server.base
}

// The log contains what no API reports. A caller gets the status of its call,
// and a client's application the state of the connection; the operator of a
// server has only the log. docs/observability.md lists the messages and their
// keys.

// ID returns the number of the connection, which is unique in its Server or
// Client. The log contains it as "conn".
func (c *Conn) ID() uint64 { return c.id }

// Stats returns counters of the connection over all its links.
func (c *Conn) Stats() transport.Stats { return c.sess.Stats() }

// Draining is like the function Draining, for programs that keep a connection.
func (c *Conn) Draining() <-chan struct{} { return c.sess.Draining() }

// SessionID returns the id of the session, by which a link finds it again when
// it resumes the connection. The server has chosen it (WithSessionIDs). It is no
// secret, and nil if the connection cannot be resumed.
func (c *Conn) SessionID() []byte { return c.sess.ID() }

// Principal returns the authenticated principal that began the connection, or
// "". At a client it is "".
func (c *Conn) Principal() string { return c.server.principal }

// Detached reports whether the link is lost, and another may resume the
// connection.
func (c *Conn) Detached() bool { return c.sess.Detached() }

// isOpen reports whether the connection has begun and has not ended.
func (c *Conn) isOpen() bool {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.life.established && !c.life.ended
}

// isEstablished reports whether the OnConnect hooks are called or about to be
// called.
func (c *Conn) isEstablished() bool {
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return c.life.established
}
