package transport

import (
	"bytes"
	"crypto/rand"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// takeHello takes the peer's HELLO on a link in: for a new session, for one that
// is resumed, or for one that the peer would like to.
func (a *attachment) takeHello(in *arrival, p []byte) error {
	if a.greeted {
		return errors.New("comes twice")
	}
	hello, err := frame.ParseHello(p)
	if err != nil {
		return err
	}
	a.greeted = true
	s := a.s
	switch {
	case a.answer != nil:
		return s.takeAnswer(a, &hello)
	case hello.Answer != frame.NoAnswer:
		return errors.New("answers a resumption that was not asked for")
	case s.side == Dialer:
		return s.begin(a, &hello, frame.NoAnswer)
	case hello.Session == nil:
		if hello.Replaces != nil {
			s.replace(Predecessor{Session: hello.Replaces, Token: hello.ReplacesToken})
		}
		return s.begin(a, &hello, frame.NoAnswer)
	}
	in.last = true
	old, err := s.cfg.Sessions.find(&hello, s.cfg.Principal)
	if err != nil {
		return err
	}
	if old != nil {
		if resumed, err := old.adopt(a, &hello); resumed || err != nil {
			return err
		}
	}
	a.named = &Predecessor{Session: hello.Session, Token: hello.Token, Attempt: hello.Attempt}
	return s.begin(a, &hello, frame.SessionUnknown)
}

// begin takes the peer's settings over. The acceptor greets in answer.
func (s *Session) begin(a *attachment, hello *frame.Hello, answer frame.Answer) error {
	window := time.Duration(min(hello.ResumeWindow, uint64(maxSetting))) * time.Millisecond
	if !s.cfg.resumes(s.side) || window == 0 {
		window = 0
		s.out.keepNothing()
	} else {
		window = min(window, s.cfg.ResumeWindow)
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err // it was closed before the peer's HELLO was read
	}
	s.resumeFor = window
	if err := s.name(hello); err != nil {
		s.mu.Unlock()
		return err
	}
	s.peer.set(hello)
	more := hello.InitialWindow - frame.HelloDefaults.InitialWindow
	for _, st := range s.streams {
		st.send.raiseBy(more)
	}
	s.grantSlots()
	s.mu.Unlock()

	if s.side == Acceptor {
		if window > 0 {
			s.cfg.Sessions.add(s) // ahead of HELLO: the dialer may be back as soon as it has read that
		}
		a.beginWriting(s, s.hello(answer))
	}
	close(s.peer.greeted)
	s.startKeepalive(a)
	if s.cfg.OnHello != nil {
		s.cfg.OnHello(s)
	}
	return nil
}

// name settles the session's id and its first token, if it can be resumed; mu is
// held. The acceptor makes them.
func (s *Session) name(hello *frame.Hello) error {
	switch {
	case s.resumeFor == 0:
		return nil
	case s.side == Dialer && hello.Session == nil:
		return errors.New("names no session though it can be resumed")
	case s.side == Dialer:
		s.id, s.token = bytes.Clone(hello.Session), bytes.Clone(hello.Token)
	default:
		s.id, s.token = random(frame.MinSessionLen), random(frame.TokenLen)
	}
	return nil
}

// random returns n bytes that nobody can guess.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// hello returns the HELLO frame of this end.
func (s *Session) hello(answer frame.Answer) []byte {
	hello := s.cfg.hello(s.side)
	hello.Answer = answer
	s.mu.Lock()
	if s.resumeFor > 0 {
		hello.Session, hello.Token = s.id, s.token
		hello.Received = s.acks.received.Load()
	}
	if s.side == Dialer {
		hello.Attempt = s.attempts
	}
	if r := s.cfg.Predecessor; r != nil && s.attempts == 0 && s.side == Dialer {
		hello.Replaces, hello.ReplacesToken = r.Session, r.Token
	}
	s.mu.Unlock()
	return hello.Append(nil)
}
