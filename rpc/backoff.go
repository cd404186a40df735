package rpc

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// The bounds of the delays between attempts to connect.
const (
	firstDelay   = 100 * time.Millisecond
	mostDelay    = 10 * time.Second
	restartDelay = 5 * time.Second  // after 1012: clients of one server come back spread over it
	firstLonger  = time.Second      // where the server is overloaded
	mostLonger   = 60 * time.Second // as before
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
func plus(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxInt64
}

// backoff is the delay after so many attempts that have failed.
func backoff(failures int) time.Duration { return fullJitter(failures, firstDelay, mostDelay) }

// comeback is what a client does after the end of a session, the last column of
// the table of close codes (PROTOCOL.md, section "Close codes").
type comeback int

const (
	backOff       comeback = iota // with growing, random delays
	backAtOnce                    // at once, unless that has just failed
	backJittered                  // after a random delay
	backOffLonger                 // as backOff, but longer
	stayClosed                    // not by itself
)

func comebackAfter(code transport.CloseCode) comeback {
	switch code {
	case transport.CloseGoingAway:
		return backAtOnce
	case transport.CloseServiceRestart:
		return backJittered
	case transport.CloseTryAgainLater, closeBadGateway, transport.CloseRefusal + transport.CloseCode(CodeUnavailable):
		return backOffLonger
	case transport.CloseNormal, transport.ClosePolicyViolation, transport.CloseMandatoryExtension:
		return stayClosed
	}
	if code > transport.CloseRefusal && code <= transport.CloseRefusal+transport.CloseCode(CodeUnauthenticated) {
		return stayClosed
	}
	return backOff
}

// closeBadGateway is a code that gateways send, not Parley.
const closeBadGateway transport.CloseCode = 1014

// delay is how long to wait before the next attempt. failures are the attempts
// that have failed, and the sessions that were over soon, before this end.
func (b comeback) delay(failures int) time.Duration {
	switch b {
	case backAtOnce:
		return backoff(failures)
	case backJittered:
		return max(rand.N(restartDelay), backoff(failures))
	case backOffLonger:
		return fullJitter(failures+1, firstLonger, mostLonger)
	}
	return backoff(failures + 1)
}

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
