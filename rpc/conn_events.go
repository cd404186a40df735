package rpc

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
)

// OnDetached registers f to be called when the link of a connection is lost and
// the connection waits for another. Meanwhile calls go on, within their
// deadlines and the limit on unsent data. OnResumed or OnDisconnect follows.
func OnDetached(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onDetached = append(e.hooks.onDetached, f) })
}

// OnResumed registers f to be called when a connection continues on another
// link. Nothing was lost or duplicated.
func OnResumed(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onResumed = append(e.hooks.onResumed, f) })
}

// OnSessionLost registers f to be called, before OnDisconnect, when a
// connection has ended because its link was lost and could not be resumed.
// Neither end has ended it on purpose, and the last data of either end may or
// may not have reached its peer.
func OnSessionLost(f func(*Conn, error)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onSessionLost = append(e.hooks.onSessionLost, f) })
}

// connHooks are the functions that an application has registered.
type connHooks struct {
	onConnect, onDetached, onResumed []func(*Conn)
	onSessionLost, onDisconnect      []func(*Conn, error)
}

// connEvents delivers events to the application one after another, in the
// order in which they occurred, on a goroutine of their own.
type connEvents struct {
	mu    sync.Mutex
	queue []func()
	busy  bool // a goroutine delivers them

	detached, resumed atomic.Int64 // how often each has happened
	unseen            atomic.Int64 // losses of the link before OnConnect, after which no resumption has come
	delivered         int64        // events of both kinds, alternating; used by deliverEvents only
}

// enqueueEvent calls f after the earlier events. It does not block.
func (c *Conn) enqueueEvent(f func()) {
	q := &c.events
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, f)
	if !q.busy {
		q.busy = true
		c.e.workers.runFunc(c.deliverEvents)
	}
}

// deliverEvents calls the queued functions.
func (c *Conn) deliverEvents() {
	c.started.Wait()
	q := &c.events
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.busy, q.queue = false, nil
			q.mu.Unlock()
			return
		}
		f := q.queue[0]
		q.queue = q.queue[1:]
		q.mu.Unlock()
		f()
	}
}

// notifyDetached and notifyResumed enqueue the calls of the hooks.
func (c *Conn) notifyDetached() {
	c.events.detached.Add(1)
	c.enqueueEvent(c.deliverLinkEvents)
}

func (c *Conn) notifyResumed() {
	c.events.resumed.Add(1)
	c.enqueueEvent(c.deliverLinkEvents)
}

// deliverLinkEvents calls the hooks for detached and resumed in turn. The
// goroutines that report the two events may overtake each other.
func (c *Conn) deliverLinkEvents() {
	for q := &c.events; ; q.delivered++ {
		hooks, happened := c.e.hooks.onDetached, q.detached.Load()
		if q.delivered%2 == 1 {
			hooks, happened = c.e.hooks.onResumed, q.resumed.Load()
		}
		if q.delivered/2 == happened {
			return
		}
		for _, f := range hooks {
			f(c)
		}
	}
}

// deliverEnd calls the hooks for the end of the connection.
func (c *Conn) deliverEnd(err error) {
	var closed *transport.CloseError
	if errors.As(err, &closed) && (closed.Code == transport.CloseAbnormal || closed.Code == transport.CloseNoStatus) {
		for _, f := range c.e.hooks.onSessionLost {
			f(c, c.failure(err))
		}
	}
	for _, f := range c.e.hooks.onDisconnect {
		f(c, c.failure(err))
	}
}

// OnConnect registers f to be called with each new connection, once both ends
// have sent HELLO. At a server, that of a client that could not resume another
// connection begins with the first sign that the client needs it. f may keep the connection to call the peer at any time, and
// may call it at once. Calls of either end may be running before f has
// returned.
func OnConnect(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onConnect = append(e.hooks.onConnect, f) })
}

// OnDisconnect registers f to be called when a connection has ended, with the
// reason, after the functions of OnConnect have returned.
func OnDisconnect(f func(*Conn, error)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onDisconnect = append(e.hooks.onDisconnect, f) })
}
