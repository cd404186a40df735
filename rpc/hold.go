package rpc

import (
	"maps"
	"math/rand/v2"
	"time"
)

// holds are the URLs whose servers have said, with Retry-After, when they want to be
// asked again.
type holds map[string]time.Time

// add notes that the server at u is not to be asked for d, but no longer than a
// minute. Clients that were told the same do not come in the same moment.
func (h *holds) add(u string, d time.Duration) {
	d = min(d, mostLonger)
	if *h == nil {
		*h = make(holds)
	}
	(*h)[u] = time.Now().Add(d + rand.N(min(d/4+1, firstLonger)))
}

// filter returns the URLs that may be asked now, in their order, or, if there is none,
// those that may be first, and how long to wait for that.
func (h holds) filter(urls []string) (free []string, wait time.Duration) {
	now := time.Now()
	maps.DeleteFunc(h, func(_ string, until time.Time) bool { return !until.After(now) })
	wait = h.wait(urls)
	at := now.Add(wait)
	for _, u := range urls {
		if !h[u].After(at) {
			free = append(free, u)
		}
	}
	return free, wait
}

// wait returns how long none of the URLs may be asked.
func (h holds) wait(urls []string) time.Duration {
	var least time.Duration
	for i, u := range urls {
		d := max(0, time.Until(h[u]))
		if i == 0 || d < least {
			least = d
		}
	}
	return least
}
