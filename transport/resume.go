package transport

import (
	"bytes"
	"context"
	"errors"

	"github.com/parley-rpc/parley/internal/frame"
)

// resumeAttempt is what a dialer's link needs that is to take a session over.
// It does not refer to that session: the link may outlive it.
type resumeAttempt struct {
	result    chan error // receives one result
	next      func(start func(Config) (*Session, error))
	successor *Session // started instead of the session; set before result
	certain   bool     // result comes even if the session ends; the session's mu guards it
}

// finish sends the result of the attempt. Only the first one counts.
func (r *resumeAttempt) finish(err error) {
	select {
	case r.result <- err:
	default:
	}
}

// Resume continues a dialer's detached session on a new link, which the session
// owns from then on. It returns when the peer has answered:
//
//   - nil: the session continues where it was.
//   - ErrSessionUnknown, or any error once Err is not nil: the session has
//     ended.
//   - other errors: the caller may try again with another link.
//
// If links break again as soon as the session was resumed, it is up to the
// caller to wait before the next attempt.
//
// If the peer does not know the session, the link can carry a new one. Then
// Resume calls next, unless it is nil. next may call start, once, which returns
// a new session with the limits and times of the old one. The new session
// starts when next returns, and only then the old one ends. Resume returns the
// new session as fresh, with ErrSessionUnknown. Neither next nor start may
// block, nor close a session.
func (s *Session) Resume(ctx context.Context, link Link, next func(start func(Config) (*Session, error))) (fresh *Session, err error) {
	attempt := &resumeAttempt{result: make(chan error, 1), next: next}
	err = attempt.run(ctx, &attachment{s: s, link: link, resume: attempt})
	if errors.Is(err, ErrSessionUnknown) {
		fresh = attempt.successor
	}
	return fresh, err
}

func (r *resumeAttempt) run(ctx context.Context, a *attachment) error {
	s, link := a.s, a.link
	s.resuming.Lock()
	defer s.resuming.Unlock()
	if err := s.prepareResume(); err != nil {
		_ = link.Close(CloseNormal, "")
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.HelloTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = link.Close(CloseAbnormal, "") })
	defer stop()

	if err := link.WriteMessage([][]byte{s.helloFrame(frame.NoAnswer)}); err != nil {
		_ = link.Close(CloseAbnormal, "")
		return err
	}
	a.loops.Go(a.read)
	select {
	case err := <-r.result:
		return err
	case <-s.done:
	}
	s.mu.Lock()
	certain := r.certain
	s.mu.Unlock()
	if certain {
		return <-r.result
	}
	_ = link.Close(CloseNormal, "")
	a.loops.Wait()
	return s.Err()
}

// prepareResume counts the attempt and waits until the goroutines of the old
// link have ended.
func (s *Session) prepareResume() error {
	s.mu.Lock()
	old, detached, err := s.link, s.detached.Load(), s.err
	s.resumption.attempt++
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case !detached || s.side != Dialer:
		return errors.New("transport: Resume: the session is not detached, or is not the dialer's")
	}
	old.loops.Wait()
	return nil
}

// handleAnswer handles the acceptor's HELLO on a link that is to take the
// session over.
func (r *resumeAttempt) handleAnswer(a *attachment, hello *frame.Hello) error {
	s := a.s
	switch hello.Answer {
	case frame.NoAnswer:
		return errors.New("does not answer the request to resume")
	case frame.SessionUnknown:
		return r.startSuccessor(a, hello)
	}
	s.mu.Lock()
	same := bytes.Equal(hello.Session, s.resumption.id)
	s.mu.Unlock()
	if !same {
		return errors.New("resumes another session")
	}
	if err := s.rewind(hello); err != nil {
		_ = a.link.Close(err.onWire()) // before Resume, which waits for the session's end, closes it
		s.fail(err)
		return err
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	s.resumption.token = bytes.Clone(hello.Token)
	s.setLink(a)
	s.mu.Unlock()
	s.continueOn(a, frame.AppendAck(nil, s.acks.received.Load()))
	r.finish(nil)
	return nil
}

// adopt resumes an acceptor's session on a link whose dialer asks for it. The
// newest link wins: the older one is closed. It reports whether the session may
// be resumed at all: another link may have made the token invalid while this
// one waited for its turn.
func (s *Session) adopt(a *attachment, hello *frame.Hello) (ok bool, err error) {
	s.resuming.Lock()
	defer s.resuming.Unlock()
	s.mu.Lock()
	if ok, err := s.mayResume(hello); !ok {
		s.mu.Unlock()
		return false, err
	}
	s.resumption.attempt = hello.Attempt
	old, wasDetached := s.link, s.detached.Load()
	s.setLink(a)
	s.mu.Unlock()
	s.out.detach(old)
	_ = old.link.Close(errSuperseded.Code, errSuperseded.Reason)
	old.loops.Wait()

	a.s.supersede()
	a.s = s
	if err := s.rewind(hello); err != nil {
		return true, err
	}
	s.mu.Lock()
	s.resumption.rotate(hello.Token)
	s.mu.Unlock()
	s.cfg.Sessions.removeDetached(s)
	if !wasDetached && s.cfg.OnDetached != nil {
		s.cfg.OnDetached(s, errSuperseded)
	}
	s.continueOn(a, s.helloFrame(frame.SessionResumed))
	return true, nil
}

// mayResume reports whether the session has not ended and admits the link with
// this HELLO. mu is held.
func (s *Session) mayResume(hello *frame.Hello) (bool, error) {
	if s.err != nil {
		return false, nil
	}
	return s.resumption.check(hello)
}

// rewind makes the outbox continue after the frames that the peer says it has
// received. If the session has ended meanwhile, its outbox keeps nothing to
// compare that number with, and rewind returns the session's error.
func (s *Session) rewind(hello *frame.Hello) *CloseError {
	var ended *CloseError
	switch {
	case s.out.rewind(hello.Received):
		return nil
	case errors.As(s.Err(), &ended):
		return ended
	}
	return protocolError(CloseProtocolError, "HELLO: invalid count of received frames: %d", hello.Received)
}

// errSuperseded is how the older of two links ends.
var errSuperseded = &CloseError{Code: CloseRefusal + refusalAborted, Reason: "a newer link has resumed the session"}

// setLink makes a the session's link; mu is held.
func (s *Session) setLink(a *attachment) {
	s.link = a
	s.detached.Store(false)
	s.timer.Stop()
}

// continueOn starts to write on the session's new link, beginning with the
// frame first. It sends what the peer has not received, and the limit of each
// stream's window, once more.
func (s *Session) continueOn(a *attachment, first []byte) {
	s.mu.Lock()
	streams := s.streams.all()
	s.mu.Unlock()
	for _, st := range streams {
		st.announceLate(st.recv.announced())
	}
	a.startWriting(s, first)
	s.startKeepalive(a)
	s.resendPing()
	if s.unwanted {
		s.begin() // the dialer had read its id
	}
	if s.cfg.OnResumed != nil {
		s.cfg.OnResumed(s)
	}
}

// supersede ends the session with which a link started that resumes another.
func (s *Session) supersede() {
	s.mu.Lock()
	s.link = &attachment{link: noLink{}}
	s.mu.Unlock()
	s.end(errSuperseded)
}

// confirmToken handles the first frame after HELLO: it proves that the dialer
// has read this end's HELLO, and so has the next token.
func (a *attachment) confirmToken() {
	a.confirmed = true
	s := a.s
	if a.predecessor != nil {
		s.replace(*a.predecessor)
		a.predecessor = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumption.confirm()
}
