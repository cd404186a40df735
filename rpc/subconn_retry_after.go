package rpc

import (
	"errors"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

// askedToWait returns how long a server that has refused a handshake wants to be left
// alone, at most a minute.
func retryAfterOf(err error) time.Duration {
	var h *ws.HandshakeError
	if !errors.As(err, &h) {
		return 0
	}
	return min(h.RetryAfter, maxLongDelay)
}

// holds are the URLs whose servers have said, with Retry-After, when they want to be
// asked again.
type retryAfterTimes map[string]time.Time

// add notes that the server at u is not to be asked for d. Clients that were told the
// same do not come in the same moment.
func (h *retryAfterTimes) add(u string, d time.Duration) {
	if *h == nil {
		*h = make(retryAfterTimes)
	}
	(*h)[u] = time.Now().Add(d + rand.N(min(d/4+1, initialLongDelay)))
}

// filter returns the URLs that may be asked now, in their order, or, if there is none,
// those that may be first, and how long to wait for that.
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

// wait returns how long, from now, none of the URLs may be asked.
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
