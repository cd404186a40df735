package cluster

import (
	"container/list"
	"sync"
	"time"
)

const (
	defaultCachedLookups = 10_000
	cachedLookupAge      = 30 * time.Second
)

// lookupCache keeps answers of lookups: the most recently used ones, for a
// while. The cache does not know whether their nodes live.
type lookupCache struct {
	max int

	mu     sync.Mutex
	order  list.List // of *cachedLookup; the most recently used is first
	byName map[string]*list.Element
}

type cachedLookup struct {
	presence Presence
	expires  time.Time
}

func newLookupCache(size int) *lookupCache {
	return &lookupCache{max: size, byName: make(map[string]*list.Element)}
}

// get returns what is known of a client. An answer that has expired is returned
// as not fresh: it is better than none while the bus is unavailable.
func (c *lookupCache) get(name string) (p Presence, fresh, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byName[name]
	if e == nil {
		return p, false, false
	}
	c.order.MoveToFront(e)
	l := e.Value.(*cachedLookup) //nolint:forcetypeassert // the list has no other
	return l.presence, time.Now().Before(l.expires), true
}

func (c *lookupCache) put(p Presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &cachedLookup{p, time.Now().Add(cachedLookupAge)}
	if e := c.byName[p.Client]; e != nil {
		e.Value = l
		c.order.MoveToFront(e)
		return
	}
	c.byName[p.Client] = c.order.PushFront(l)
	if c.order.Len() > c.max {
		c.drop(c.order.Back())
	}
}

func (c *lookupCache) drop(e *list.Element) {
	l := c.order.Remove(e).(*cachedLookup) //nolint:forcetypeassert // the list has no other
	delete(c.byName, l.presence.Client)
}

func (c *lookupCache) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byName[name]; e != nil {
		c.drop(e)
	}
}

// forgetNode drops what a node has answered.
func (c *lookupCache) forgetNode(id NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var next *list.Element
	for e := c.order.Front(); e != nil; e = next {
		next = e.Next()
		if e.Value.(*cachedLookup).presence.Node == id { //nolint:forcetypeassert // the list has no other
			c.drop(e)
		}
	}
}

func (c *lookupCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byName)
}
