package transport

// Stats is what a session has and has done at one moment, for those who observe it.
type Stats struct {
	Opened   int // streams of this end that go on, or are about to be opened
	Accepted int // streams of the peer that go on
	Waiting  int // calls of Open that wait until the peer takes another stream

	Sent     uint64 // bytes of frames that links were given, those that were sent again included
	Received uint64 // bytes of frames that links have brought

	Queued         int // bytes of frames that wait to be sent
	Unacknowledged int // bytes of frames that were sent and are kept: they may have to be sent again
	Blocked        int // sends that wait for room in the queue
}

// Stats returns what the session has and has done. It takes the locks that the
// session's work takes, and is meant to be called every few seconds.
func (s *Session) Stats() Stats {
	stats := Stats{Received: s.arrivals.Load()}
	s.mu.Lock()
	stats.Opened, stats.Accepted, stats.Waiting = s.opened, s.accepted, s.opening.len()
	s.mu.Unlock()

	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	stats.Sent, stats.Blocked = o.sent, o.waiting.len()
	stats.Queued = int(o.enqueued-o.taken) + o.alarmed
	stats.Unacknowledged = o.replay.size
	return stats
}
