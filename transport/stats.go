package transport

// Stats is what a session has and has done at one moment.
type Stats struct {
	LocalStreams  int // streams that this end has opened, or is about to, and that have not ended
	RemoteStreams int // streams that the peer has opened and that have not ended
	WaitingOpens  int // calls of Open that wait until the peer takes another stream

	SentBytes     uint64 // bytes of frames written to links, retransmitted ones included
	ReceivedBytes uint64 // bytes of frames read from links

	QueuedBytes         int // bytes of frames that wait to be sent
	UnacknowledgedBytes int // bytes of frames that were sent and may have to be sent again
	BlockedSends        int // sends that wait for room in the queue
}

// Stats returns the session's statistics. It takes the locks that the session's
// work takes, and is meant to be called every few seconds.
func (s *Session) Stats() Stats {
	stats := Stats{ReceivedBytes: s.bytesReceived.Load()}
	s.mu.Lock()
	stats.LocalStreams, stats.RemoteStreams, stats.WaitingOpens = s.streams.local, s.streams.remote, s.streams.slotQueue.len()
	s.mu.Unlock()

	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	stats.SentBytes, stats.BlockedSends = o.batch.total, o.data.waiters()
	stats.QueuedBytes = o.data.waitingBytes() + o.urgent.bytes
	stats.UnacknowledgedBytes = o.replay.size
	return stats
}
