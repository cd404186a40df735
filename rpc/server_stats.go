package rpc

// ServerStats are counters of a server at one moment.
type ServerStats struct {
	Connections       int    // open connections, including detached ones
	Detached          int    // detached connections
	Links             int    // open links, including handshakes
	RefusedHandshakes uint64 // refused handshakes, for whatever reason
}

// Stats returns the server's counters.
func (s *Server) Stats() ServerStats {
	stats := ServerStats{Detached: s.sessions.Detached(), Links: s.admission.count(), RefusedHandshakes: s.refusals.count()}
	stats.Connections = s.conns.count()
	return stats
}
