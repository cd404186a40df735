package rpc

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Conn is a connection, the same type at both ends: calls can be made on it
// while calls of the other end are served.
type Conn struct {
	e       *endpoint
	sess    *transport.Session
	peer    Peer
	aliases aliases

	started   chan struct{} // closed when sess is set
	connected chan struct{} // closed when the OnConnect hooks have returned
	announced bool          // they were called
}

// Open begins a call to the other end.
func (c *Conn) Open(ctx context.Context, m *Method, opts ...CallOption) (Stream, error) {
	s, err := newClientStream(c, m, opts)
	if err != nil {
		return nil, err
	}
	if len(c.e.callChain) > 0 {
		return openIntercepted(ctx, s, c.e.callChain)
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Peer returns the other end.
func (c *Conn) Peer() *Peer { return &c.peer }

// Ping asks the other end for a sign of life and returns how long it took.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	rtt, err := c.sess.Ping(ctx)
	return rtt, c.failure(err)
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.sess.Done() }

// Err returns why the connection has ended, nil while it has not.
func (c *Conn) Err() error { return c.failure(c.sess.Err()) }

// failure is the status of a call that fails with err. If the connection has
// ended, and the other end has said why, that counts.
func (c *Conn) failure(err error) error {
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		if why, ok := c.sess.GoneAway(); ok && why.Status != 0 {
			return Errorf(codeFrom(why.Status), "connection ended by the peer: %s", why.Reason)
		}
	}
	return transportError(err)
}

// Close ends the connection. Calls in flight fail at both ends.
func (c *Conn) Close() error {
	return c.sess.Close(transport.CloseNormal, "closed by the application")
}

// usable tells whether new calls can be made.
func (c *Conn) usable() bool {
	select {
	case <-c.sess.Done():
		return false
	case <-c.sess.Draining():
		return false
	default:
		return true
	}
}

// onStream takes a call of the other end. It runs on the reading goroutine.
func (c *Conn) onStream(st *transport.Stream) {
	c.e.workers.run(func() {
		<-c.started // a call may come with the handshake
		c.serve(st)
	})
}

// onEnd takes leave of an ended connection.
func (c *Conn) onEnd(err error) {
	c.e.workers.run(func() {
		<-c.started
		c.e.remove(c)
		<-c.connected
		if c.announced {
			for _, f := range c.e.onDisconnect {
				f(c, c.failure(err))
			}
		}
		if c.e.single {
			c.e.workers.close()
		}
	})
}

// aliases are the numbers that the other end has given to methods.
type aliases struct {
	mu      sync.Mutex // serializes learn
	current atomic.Pointer[map[methodName]uint64]
}

type methodName struct{ service, name string }

// maxAliases bounds what a caller of ever new methods, such as a proxy, remembers.
const maxAliases = 4096

// of returns the method's alias, or 0.
func (a *aliases) of(m *Method) uint64 {
	known := a.current.Load()
	if known == nil {
		return 0
	}
	return (*known)[methodName{m.Service, m.Name}]
}

func (a *aliases) learn(m *Method, alias uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := make(map[methodName]uint64)
	if known := a.current.Load(); known != nil {
		if len(*known) >= maxAliases {
			return
		}
		maps.Copy(next, *known)
	}
	next[methodName{m.Service, m.Name}] = alias
	a.current.Store(&next)
}
