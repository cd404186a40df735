package rpc

import "github.com/parley-rpc/parley/transport"

// ServerStats is what a server has and has done at one moment.
type ServerStats struct {
	Connections       int    // that go on, those without a link included
	Detached          int    // of them, those without a link
	Links             int    // that are open, handshakes included
	RefusedHandshakes uint64 // handshakes that were refused, for whatever reason
}

// Stats returns what the server has and has done.
func (s *Server) Stats() ServerStats {
	stats := ServerStats{Detached: s.sessions.Detached(), Links: s.admission.count(), RefusedHandshakes: s.refusals.count()}
	s.mu.Lock()
	defer s.mu.Unlock()
	stats.Connections = len(s.conns)
	return stats
}

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
