package transport

import (
	"errors"
	"sync"
)

// attachment is the time of a session on one link, with a reader and a writer
// goroutine. A link starts with a session of its own. If the peer's HELLO asks
// to resume another session, the attachment moves to that one.
type attachment struct {
	s    *Session // only the goroutine that reads the link changes it
	link Link

	resume *resumeAttempt // non-nil: a dialer's link that is to take a session over

	predecessor   *Predecessor // on an acceptor's link: the session to replace once a frame follows HELLO
	helloReceived bool         // the peer's HELLO on this link has arrived
	confirmed     bool         // and a frame after it
	sequenced     bool         // the last message of the link had a sequenced frame
	turnCost      int          // of the frames read since the reader last yielded
	opened        [4]*Stream   // memory for the streams that one read opens, mostly

	lease     *readLease // nil: reading was never lent
	lendAfter int        // so many alternations

	spawn   func(func()) // Config.Go
	writer  func()       // writes as long as there is something to write
	writing bool         // the writer runs, or has ended for good; guarded by the outbox's mu

	loops sync.WaitGroup // the reader goroutine and, until it has ended for good, the writer
}

// startWriting gives s a writer on the link. It writes the frame first before
// all others.
func (a *attachment) startWriting(s *Session, first []byte) {
	a.loops.Add(1)
	a.spawn = s.cfg.Go
	a.writer = func() {
		if a.write(s) {
			s.closeEnded(a)
			a.loops.Done()
		}
	}
	s.out.attach(a, first)
}

// startWriter runs the writer on a goroutine until there is nothing to write.
func (a *attachment) startWriter() {
	if a.spawn == nil {
		go a.writer()
		return
	}
	a.spawn(a.writer)
}

// write writes what is queued. It reports whether the writer has ended for
// good.
func (a *attachment) write(s *Session) (ended bool) {
	for {
		parts, err := s.out.yieldAndTake(a)
		if err != nil {
			return true
		}
		if parts == nil {
			return false
		}
		err = a.link.WriteMessage(parts)
		s.out.written()
		if err != nil {
			s.linkFailed(a, linkError(err))
			return true
		}
	}
}

// linkError turns an error of reading or writing into the reason why the
// session ends. Any error but a *CloseError means that the link is lost.
func linkError(err error) *CloseError {
	var c *CloseError
	switch {
	case errors.As(err, &c):
		return c.normalized()
	case isOverflow(err):
		return &CloseError{Code: CloseRefusal + refusalExhausted, Reason: err.Error(), Err: err}
	}
	return &CloseError{Code: CloseAbnormal, Reason: "link lost", Err: err}
}
