package rpc

import (
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// comeback is what a client does after the end of a session, the last column of
// the table of close codes (PROTOCOL.md, section "Close codes").
type reconnectPolicy int

const (
	reconnectWithBackoff reconnectPolicy = iota // with growing, random delays
	reconnectNow                                // at once, unless that has just failed
	reconnectJittered                           // after a random delay
	reconnectSlowly                             // as backOff, but longer
	reconnectNever                              // not by itself
)

func reconnectPolicyOf(code transport.CloseCode) reconnectPolicy {
	switch code {
	case transport.CloseGoingAway:
		return reconnectNow
	case transport.CloseServiceRestart:
		return reconnectJittered
	case transport.CloseTryAgainLater, closeBadGateway, transport.CloseRefusal + transport.CloseCode(CodeUnavailable):
		return reconnectSlowly
	case transport.CloseNormal, transport.ClosePolicyViolation, transport.CloseMandatoryExtension:
		return reconnectNever
	}
	if code > transport.CloseRefusal && code <= transport.CloseRefusal+transport.CloseCode(CodeUnauthenticated) {
		return reconnectNever
	}
	return reconnectWithBackoff
}

// closeBadGateway is a code that gateways send, not Parley.
const closeBadGateway transport.CloseCode = 1014

// delay is how long to wait before the next attempt. failures are the attempts
// that have failed, and the sessions that were over soon, before this end.
func (b reconnectPolicy) delay(failures int) time.Duration {
	switch b {
	case reconnectNow:
		return backoff(failures)
	case reconnectJittered:
		return max(rand.N(maxRestartDelay), backoff(failures))
	case reconnectSlowly:
		return fullJitter(failures+1, initialLongDelay, maxLongDelay)
	}
	return backoff(failures + 1)
}
