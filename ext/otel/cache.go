package otelparley

import "sync"

// cache keeps the values made for a bounded number of keys.
type cache[K comparable, V any] struct {
	mu   sync.RWMutex
	kept map[K]V
}

// mostKept bounds a cache: a proxy may see ever new methods.
const mostKept = 4096

func (c *cache[K, V]) get(key K, create func() V) V {
	c.mu.RLock()
	v, ok := c.kept[key]
	c.mu.RUnlock()
	if ok {
		return v
	}
	v = create()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= mostKept {
		return v
	}
	if c.kept == nil {
		c.kept = make(map[K]V)
	}
	c.kept[key] = v
	return v
}
