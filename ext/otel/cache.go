package otelparley

import "sync"

// cache keeps what was made for a key, for so many keys at the most.
type cache[K comparable, V any] struct {
	mu   sync.RWMutex
	kept map[K]V
}

// mostKept bounds a cache: a program that passes on calls may make ever new ones.
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
