package transport

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// linkFailed is told by a goroutine of a link why it can go no further. A lost
// link leaves the session waiting for another, if it can be resumed; any other
// reason ends it.
func (s *Session) linkFailed(a *attachment, err *CloseError) {
	s.mu.Lock()
	current := s.at == a && !s.detached && s.err == nil
	late := s.at == a && s.detached && s.side == Acceptor // after the other goroutine of the link
	keep := current && s.resumeFor > 0 && s.lostBy(err)
	if keep {
		s.detached = true
		s.adrift.Store(true)
		s.stopTimer()
		s.timer = time.AfterFunc(s.resumeFor, s.notResumed)
		s.closing.Add(1)
	}
	s.mu.Unlock()
	switch {
	case keep:
		s.out.detach(a)
		s.giveUp(a, err)
		if s.side == Acceptor {
			s.cfg.Sessions.lost(s)
		}
		if s.cfg.OnDetached != nil {
			s.cfg.OnDetached(s, err)
		}
	case current:
		s.fail(err)
	case late:
		s.cfg.Sessions.lost(s) // more may have arrived meanwhile
	case a.answer != nil:
		_ = a.link.Close(err.onWire())
		a.answered(err)
	}
}

// lostBy reports whether a link that has ended with err is lost: no end has ended the
// session by it. A peer that goes away says by GOAWAY that the session ends before it
// closes the link, so a code for that without GOAWAY is a proxy's. mu is held.
func (s *Session) lostBy(err *CloseError) bool {
	return err.Code == CloseAbnormal || err.Code == CloseNoStatus || err.Remote && err.goes() && !s.ended()
}

// giveUp ends a lost link without a code of this end, which would end the session.
// Where the link has something to say by itself, the answer to a close frame or the
// complaint about broken framing, that may take a second and is done beside.
func (s *Session) giveUp(a *attachment, err *CloseError) {
	code, reason := err.onWire()
	if code == CloseAbnormal || code == CloseNoStatus {
		_ = a.link.Close(CloseAbnormal, "")
		s.closing.Done()
		return
	}
	go func() {
		defer s.closing.Done()
		_ = a.link.Close(code, reason)
	}()
}

// Detached reports whether the session's link is lost and it waits for another.
func (s *Session) Detached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detached && s.err == nil
}

// kept is told that more was queued, for those who bound what is kept without a
// link.
func (s *Session) kept() {
	if s.adrift.Load() && s.side == Acceptor {
		s.cfg.Sessions.grown(s)
	}
}

func (s *Session) notResumed() {
	s.Evict(fmt.Sprintf("the session not resumed within %v", s.resumeFor))
}

// answered tells Resume how its attempt has ended, the first time that it knows.
func (a *attachment) answered(err error) {
	select {
	case a.answer <- err:
	default:
	}
}

// Resume takes a dialer's session up again on a new link, which it owns from here
// on. It returns when the peer has answered: with nil the session goes on where
// it was; with ErrSessionUnknown, or once Err is not nil, it has ended; after
// other errors it can be tried again with another link. Where a link breaks again as
// soon as the session was resumed, it is up to the caller to wait before the next.
//
// If the peer does not know the session, the link can carry a new one. Then next, if
// not nil, is called: it may call start, once, which returns a new session that begins
// when next returns, with the limits and times of the old one. Only then the old one
// ends. The new session is fresh, with ErrSessionUnknown as the error. Neither next nor
// start may block, nor close a session.
func (s *Session) Resume(ctx context.Context, link Link, next func(start func(Config) (*Session, error))) (fresh *Session, err error) {
	a := &attachment{s: s, link: link, answer: make(chan error, 1), next: next}
	err = s.resume(ctx, a)
	if errors.Is(err, ErrSessionUnknown) {
		fresh = a.fresh
	}
	return fresh, err
}

func (s *Session) resume(ctx context.Context, a *attachment) error {
	link := a.link
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

	if err := link.WriteMessage([][]byte{s.hello(frame.NoAnswer)}); err != nil {
		_ = link.Close(CloseAbnormal, "")
		return err
	}
	a.loops.Go(a.read)
	select {
	case err := <-a.answer:
		return err
	case <-s.done:
	}
	s.mu.Lock()
	succeeded := a.succeeded
	s.mu.Unlock()
	if succeeded {
		return <-a.answer
	}
	_ = link.Close(CloseNormal, "")
	a.loops.Wait()
	return s.Err()
}

// prepareResume waits until the old link is done with, and counts the attempt.
func (s *Session) prepareResume() error {
	s.mu.Lock()
	old, away, err := s.at, s.detached, s.err
	s.attempts++
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case !away || s.side != Dialer:
		return errors.New("transport: Resume: the session has not lost its link, or is not the dialer's")
	}
	old.loops.Wait()
	return nil
}

// takeAnswer takes the acceptor's word on a resumption.
func (s *Session) takeAnswer(a *attachment, hello *frame.Hello) error {
	switch hello.Answer {
	case frame.NoAnswer:
		return errors.New("does not answer the wish to resume")
	case frame.SessionUnknown:
		return s.succeed(a, hello)
	}
	s.mu.Lock()
	same := bytes.Equal(hello.Session, s.id)
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
	s.token = bytes.Clone(hello.Token)
	s.takeOver(a)
	s.mu.Unlock()
	s.goOn(a, frame.AppendAck(nil, s.acks.received.Load()))
	a.answered(nil)
	return nil
}

// adopt resumes the session of an acceptor on a link on which the dialer asks for
// it. The newest link wins: the older one is closed. It reports whether the session may
// be resumed at all: while the link waited for its turn, another may have made its token
// void.
func (s *Session) adopt(a *attachment, hello *frame.Hello) (ok bool, err error) {
	s.resuming.Lock()
	defer s.resuming.Unlock()
	s.mu.Lock()
	if ok, err := s.mayResume(hello); !ok {
		s.mu.Unlock()
		return false, err
	}
	s.attempts = hello.Attempt
	old, noticed := s.at, s.detached
	s.takeOver(a)
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
	s.spare, s.token = bytes.Clone(hello.Token), random(frame.TokenLen)
	s.mu.Unlock()
	s.cfg.Sessions.back(s)
	if !noticed && s.cfg.OnDetached != nil {
		s.cfg.OnDetached(s, errSuperseded)
	}
	s.goOn(a, s.hello(frame.SessionResumed))
	return true, nil
}

// mayResume reports whether the session is there and honors the token of a HELLO. An
// attempt that a newer one has overtaken is an error. mu is held.
func (s *Session) mayResume(hello *frame.Hello) (bool, error) {
	switch {
	case s.err != nil || !s.admits(hello.Token):
		return false, nil
	case hello.Attempt <= s.attempts:
		return false, errSuperseded
	}
	return true, nil
}

// rewind goes back to what the peer says that it has received. A session that has
// ended meanwhile keeps nothing to compare that with: its end is the error then.
func (s *Session) rewind(hello *frame.Hello) *CloseError {
	var ended *CloseError
	switch {
	case s.out.rewind(hello.Received):
		return nil
	case errors.As(s.Err(), &ended):
		return ended
	}
	return protocolError(CloseProtocolError, "HELLO: %d frames received, which cannot be", hello.Received)
}

// errSuperseded is how the older of two links ends.
var errSuperseded = &CloseError{Code: CloseRefusal + refusalAborted, Reason: "a newer link has taken the session over"}

// takeOver makes a the session's link; mu is held.
func (s *Session) takeOver(a *attachment) {
	s.at, s.detached = a, false
	s.adrift.Store(false)
	s.timer.Stop()
}

// goOn has the session go on where it was, on its new link. first is the frame
// that goes ahead of everything. What the peer has not received is sent again,
// and how far it may send on each stream.
func (s *Session) goOn(a *attachment, first []byte) {
	s.mu.Lock()
	streams := slices.Collect(maps.Values(s.streams))
	s.mu.Unlock()
	for _, st := range streams {
		st.announce(st.recv.announced())
	}
	a.beginWriting(s, first)
	s.startKeepalive(a)
	s.resendPing()
	if s.cfg.OnResumed != nil {
		s.cfg.OnResumed(s)
	}
}

// supersede ends the session with which a link began that resumes another.
func (s *Session) supersede() {
	s.mu.Lock()
	s.at = &attachment{link: noLink{}}
	s.mu.Unlock()
	s.end(errSuperseded)
}

// admits tells whether the session honors a token; mu is held. The comparison takes
// the same time whatever is wrong with it.
func (s *Session) admits(token []byte) bool {
	current := subtle.ConstantTimeCompare(token, s.token)
	spare := subtle.ConstantTimeCompare(token, s.spare)
	return current|spare == 1
}

// prove voids the token with which the dialer has asked: it has the next one.
func (s *Session) prove(a *attachment) {
	a.proven = true
	if a.named != nil {
		s.replace(*a.named)
		a.named = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spare = nil
}
