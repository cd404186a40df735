package rpc

import (
	"sync"
	"time"
)

// churn slows down the handshakes of an owner whose detached sessions are
// evicted again and again. Each of them costs far more than a handshake: calls
// begin, are aborted, and hold data in between. An owner that loses many
// sessions once, as in an outage, waits for a second at most.
type churn struct {
	mu     sync.Mutex
	owners map[string]*churnOwner
}

// churnOwner is an owner with evicted sessions.
type churnOwner struct {
	debt time.Time // now, if there is none; later by churnCost for each session
	next time.Time // time of its next handshake while it is slowed down
}

const (
	churnCost  = 20 * time.Millisecond  // debt of a session, and delay between handshakes
	churnFree  = 500 * time.Millisecond // debt that is free
	churnMost  = 1500 * time.Millisecond
	churnNames = 1024 // maximum number of owners
)

// ended records that a session of an owner was evicted.
func (c *churn) ended(owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	o := c.owners[owner]
	if o == nil {
		if c.forget(now); len(c.owners) >= churnNames {
			return
		}
		if c.owners == nil {
			c.owners = make(map[string]*churnOwner)
		}
		o = new(churnOwner)
		c.owners[owner] = o
	}
	o.debt = earlier(later(o.debt, now).Add(churnCost), now.Add(churnMost))
}

// delay returns how long a handshake of an owner must wait, and reserves that
// time.
func (c *churn) delay(owner string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, now := c.owners[owner], time.Now()
	if o == nil || o.debt.Sub(now) <= churnFree {
		return 0
	}
	next := later(o.next, now).Add(churnCost)
	wait := next.Sub(now)
	if wait <= maxQueueWait {
		o.next = next // otherwise it is refused
	}
	return wait
}

// forget removes owners without debt, once there are many; mu is held.
func (c *churn) forget(now time.Time) {
	if len(c.owners) < churnNames {
		return
	}
	for name, o := range c.owners {
		if !o.debt.After(now) {
			delete(c.owners, name)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
