package rpc

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
	stats.Connections = s.conns.count()
	return stats
}
