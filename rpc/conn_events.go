package rpc

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/parley-rpc/parley/transport"
)

// OnDetached has f called when the link of a connection is lost and the connection
// waits for another: calls go on meanwhile, within their deadlines and what may
// be kept to be sent. Then OnResumed or OnDisconnect follows.
func OnDetached(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onDetached = append(e.hooks.onDetached, f) })
}

// OnResumed has f called when a connection has another link and goes on where it
// was: nothing was lost, nothing came twice.
func OnResumed(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onResumed = append(e.hooks.onResumed, f) })
}

// OnSessionLost has f called, ahead of OnDisconnect, when a connection has ended because
// its link was lost and it could not be resumed: nobody has decided to end it, and
// what either end had sent last may or may not have reached the other.
func OnSessionLost(f func(*Conn, error)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onSessionLost = append(e.hooks.onSessionLost, f) })
}

// connHooks are the functions that an application has registered.
type connHooks struct {
	onConnect, onDetached, onResumed []func(*Conn)
	onSessionLost, onDisconnect      []func(*Conn, error)
}

// events are told to an application one after the other, in the order in which
// they arose, beside whoever finds them.
type connEvents struct {
	mu    sync.Mutex
	queue []func()
	busy  bool // somebody tells them

	detached, resumed atomic.Int64 // how often the link was lost, and another was there
	delivered         int64        // of both, in turns; of those who tell
}

// tell has f called behind the events before it. It does not block.
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

func (c *Conn) deliverEvents() {
	<-c.started
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

// tellAway tells that the link is lost, tellBack that there is another.
func (c *Conn) notifyDetached() {
	c.events.detached.Add(1)
	c.enqueueEvent(c.deliverLinkEvents)
}

func (c *Conn) notifyResumed() {
	c.events.resumed.Add(1)
	c.enqueueEvent(c.deliverLinkEvents)
}

// tellLinks tells in turns that the connection is away and back. Those who find
// the one and the other may overtake each other on their way here.
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

// tellEnd tells that the connection has ended.
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

// OnConnect has f called with each new connection, once both ends have greeted. f
// may keep it, to make calls to the other end whenever it likes, and may make
// some at once. Calls of either end may be under way before f has returned.
func OnConnect(f func(*Conn)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onConnect = append(e.hooks.onConnect, f) })
}

// OnDisconnect has f called when a connection has ended, with the reason, after
// the functions of OnConnect have returned.
func OnDisconnect(f func(*Conn, error)) Option {
	return endpointOption(func(e *endpoint) { e.hooks.onDisconnect = append(e.hooks.onDisconnect, f) })
}
