package rpc

import (
	"errors"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

// retryAfterOf returns the Retry-After of a server that has refused a
// handshake, at most a minute.
func retryAfterOf(err error) time.Duration {
	var h *ws.HandshakeError
	if !errors.As(err, &h) {
		return 0
	}
	return min(h.RetryAfter, maxLongDelay)
}

// retryAfterTimes are the times before which URLs must not be dialed, from
// Retry-After.
type retryAfterTimes map[string]time.Time

// add delays dials of u by d plus a random time, so that clients with the same
// Retry-After do not come back together.
func (h *retryAfterTimes) add(u string, d time.Duration) {
	if *h == nil {
		*h = make(retryAfterTimes)
	}
	(*h)[u] = time.Now().Add(d + rand.N(min(d/4+1, initialLongDelay)))
}

// filter returns the URLs that may be dialed now, in order. If there is none,
// it returns those that may be dialed first, and how long to wait.
func (h retryAfterTimes) filter(urls []string) (free []string, wait time.Duration) {
	now := time.Now()
	maps.DeleteFunc(h, func(_ string, until time.Time) bool { return !until.After(now) })
	wait = h.wait(urls, now)
	at := now.Add(wait)
	for _, u := range urls {
		if !h[u].After(at) {
			free = append(free, u)
		}
	}
	return free, wait
}

// wait returns how long, from now, none of the URLs may be dialed.
func (h retryAfterTimes) wait(urls []string, now time.Time) time.Duration {
	var least time.Duration
	for i, u := range urls {
		d := max(0, h[u].Sub(now))
		if i == 0 || d < least {
			least = d
		}
	}
	return least
}
