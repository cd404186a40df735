package rpc

import "github.com/parley-rpc/parley/transport"

// Stats returns what the connection has and has done, on all its links.
func (c *Conn) Stats() transport.Stats { return c.sess.Stats() }

// Retries tells, at the caller's end, how often the call was made again on behalf of
// the application: because the server had not seen it, or by the RetryPolicy.
func (c *Call) Retries() int {
	if c.caller == nil {
		return 0
	}
	return int(c.caller.retries.made.Load())
}

// IsUnknown tells, at the callee's end, whether nobody has registered the method, so
// that the handler of Mux.HandleUnknown serves it: its names are the caller's.
func (c *Call) IsUnknown() bool { return c.callee != nil && c.callee.wild }
