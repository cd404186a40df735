package transport

// writeMode says which goroutine writes a message that is queued.
type writeMode int

const (
	viaWriter writeMode = iota
	inline              // the caller of put, if the writer goroutine is idle
)

// noteMessage says that a message has arrived. It reports whether messages
// alternate: the stream is the only one, and this end has replied to the message
// before.
func (s *Session) noteMessage() (alternates bool) {
	return s.streams.live.Load() <= 1 && !s.replyDue.Swap(true)
}

// writeMode decides who writes a message that is about to be queued. On the
// only stream, where messages of the two ends alternate, it is the caller:
// nothing else adds to the batch then, and the caller's next message waits for
// an answer.
func (s *Session) writeMode() writeMode {
	if s.streams.live.Load() <= 1 && s.replyDue.Swap(false) {
		return inline
	}
	return viaWriter
}

// writeInline writes, on the caller's goroutine, what the caller has queued
// (outbox.put). What was queued meanwhile is left to the writer. A caller that
// waits for an answer needs no goroutine to wake up for its request.
func (a *attachment) writeInline(s *Session) {
	if parts, err := s.out.take(a); err == nil {
		err = a.link.WriteMessage(parts)
		s.out.written()
		if err != nil {
			s.linkFailed(a, linkError(err))
		}
	}
	if !s.out.stopIfEmpty(a) {
		a.startWriter()
	}
}
