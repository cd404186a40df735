package rpc

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// Bounds of the delays between attempts to connect.
const (
	initialDelay     = 100 * time.Millisecond
	maxDelay         = 10 * time.Second
	maxRestartDelay  = 5 * time.Second  // after 1012: clients of one server spread over it
	initialLongDelay = time.Second      // if the server is overloaded
	maxLongDelay     = 60 * time.Second // likewise
)

// fullJitter returns a random delay up to a bound that doubles with each
// failure, so that clients that were disconnected together do not reconnect
// together. Without a failure there is no delay.
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

// addDelays returns the sum of two non-negative delays, at most the longest
// one.
func addDelays(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxInt64
}

// backoff returns the delay after a number of failed attempts.
func backoff(failures int) time.Duration { return fullJitter(failures, initialDelay, maxDelay) }

// sleep waits for d, and reports whether ctx is still valid afterwards.
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
