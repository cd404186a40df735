package rpc

import (
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// reconnectPolicy is what a client does after the end of a session: the last
// column of the table of close codes (PROTOCOL.md, section "Close codes").
type reconnectPolicy int

const (
	reconnectWithBackoff reconnectPolicy = iota // after growing random delays
	reconnectNow                                // at once, unless that has just failed
	reconnectJittered                           // after a random delay
	reconnectSlowly                             // like reconnectWithBackoff, with longer delays
	reconnectNever                              // with the next call at the earliest
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

// delay returns the delay before the next attempt. failures is the number of
// failed attempts and short sessions before this end.
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
