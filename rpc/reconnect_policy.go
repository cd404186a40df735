package rpc

import (
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport"
)

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
