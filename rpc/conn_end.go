package rpc

import (
	"strings"

	"github.com/parley-rpc/parley/transport"
)

// End ends the connection for a reason that the calls in flight get at both
// ends: they fail with the code and message of why. It is for connections that
// nothing is wrong with, and whose callers have canceled nothing: of a client
// that has moved, for example. As after Close, the client reconnects with its
// next call. A detached connection cannot tell its peer.
func (c *Conn) End(why *Error) error {
	c.life.why.CompareAndSwap(nil, why)
	reason := why.message
	if len(reason) > transport.MaxReason {
		reason = strings.ToValidUTF8(reason[:transport.MaxReason], "")
	}
	_ = c.sess.GoAway(transport.GoAway{Status: uint64(why.code), Reason: reason}) // else it has ended, or has given a reason before
	return c.sess.Close(transport.CloseNormal, "ended by the application")
}

// ownReason returns the reason of End if err is its result, or nil.
func (c *Conn) ownReason(err *transport.CloseError) *Error {
	if err.Remote || err.Code != transport.CloseNormal {
		return nil
	}
	return c.life.why.Load()
}
