package rpc

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// The bounds of the delays between attempts to connect.
const (
	initialDelay     = 100 * time.Millisecond
	maxDelay         = 10 * time.Second
	maxRestartDelay  = 5 * time.Second  // after 1012: clients of one server come back spread over it
	initialLongDelay = time.Second      // where the server is overloaded
	maxLongDelay     = 60 * time.Second // as before
)

// fullJitter returns anything up to a bound that doubles with each failure, so
// that clients that were cut off together do not come back together. Without a
// failure there is no delay.
func fullJitter(failures int, first, most time.Duration) time.Duration {
	if failures <= 0 {
		return 0
	}
	bound := most
	if doubled := failures - 1; doubled < 63 && first <= most>>doubled {
		bound = first << doubled
	}
	return rand.N(bound)
}

// plus returns the sum of two delays that are not negative, at most the longest one.
func addDelays(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxInt64
}

// backoff is the delay after so many attempts that have failed.
func backoff(failures int) time.Duration { return fullJitter(failures, initialDelay, maxDelay) }

// sleep waits, and tells whether ctx is still good afterwards.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
