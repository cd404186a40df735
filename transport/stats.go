package transport

// Stats is what a session has and has done at one moment, for those who observe it.
type Stats struct {
	LocalStreams  int // streams of this end that go on, or are about to be opened
	RemoteStreams int // streams of the peer that go on
	WaitingOpens  int // calls of Open that wait until the peer takes another stream

	SentBytes     uint64 // bytes of frames that links were given, those that were sent again included
	ReceivedBytes uint64 // bytes of frames that links have brought

	QueuedBytes         int // bytes of frames that wait to be sent
	UnacknowledgedBytes int // bytes of frames that were sent and are kept: they may have to be sent again
	BlockedSends        int // sends that wait for room in the queue
}

// Stats returns what the session has and has done. It takes the locks that the
// session's work takes, and is meant to be called every few seconds.
func (s *Session) Stats() Stats {
	stats := Stats{ReceivedBytes: s.bytesReceived.Load()}
	s.mu.Lock()
	stats.LocalStreams, stats.RemoteStreams, stats.WaitingOpens = s.streams.local, s.streams.remote, s.streams.slotQueue.len()
	s.mu.Unlock()

	o := s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	stats.SentBytes, stats.BlockedSends = o.batch.total, o.data.waiting.len()
	stats.QueuedBytes = o.data.waitingBytes() + o.urgent.bytes
	stats.UnacknowledgedBytes = o.replay.size
	return stats
}
