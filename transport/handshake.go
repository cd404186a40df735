package transport

import (
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// handleHello handles the peer's HELLO on a link. The link carries a new
// session from then on, or one that is resumed.
func (a *attachment) handleHello(in *arrival, p []byte) error {
	if a.helloReceived {
		return errors.New("received twice")
	}
	hello, err := frame.ParseHello(p)
	if err != nil {
		return err
	}
	a.helloReceived = true
	s := a.s
	switch {
	case a.resume != nil:
		return a.resume.handleAnswer(a, &hello)
	case hello.Answer != frame.NoAnswer:
		return errors.New("answers a resumption that was not requested")
	case s.side == Dialer:
		return s.establish(a, &hello, frame.NoAnswer)
	case hello.Session == nil:
		if hello.Replaces != nil {
			s.replace(Predecessor{Session: hello.Replaces, Token: hello.ReplacesToken})
		}
		return s.establish(a, &hello, frame.NoAnswer)
	}
	in.last = true
	return a.resumeOrReplace(&hello)
}

// resumeOrReplace handles, at an acceptor, a HELLO that asks to resume a
// session. If that cannot be, the link carries a new one.
func (a *attachment) resumeOrReplace(hello *frame.Hello) error {
	old, err := a.s.cfg.Sessions.find(hello, a.s.cfg.Principal)
	if err != nil {
		return err
	}
	if old != nil {
		if resumed, err := old.adopt(a, hello); resumed || err != nil {
			return err
		}
	}
	a.predecessor = &Predecessor{Session: hello.Session, Token: hello.Token, Attempt: hello.Attempt}
	return a.s.establish(a, hello, frame.SessionUnknown)
}

// establish starts a new session with the peer's settings. An acceptor sends
// its HELLO, with this answer.
func (s *Session) establish(a *attachment, hello *frame.Hello, answer frame.Answer) error {
	window := s.cfg.resumeWindow(s.side, hello)
	if window == 0 {
		s.out.disableReplay()
	}
	if err := s.applySettings(hello, window); err != nil {
		return err
	}
	if s.side == Acceptor {
		if window > 0 {
			// Before HELLO: the dialer may resume as soon as it has read that.
			if err := s.cfg.Sessions.add(s); err != nil {
				return err
			}
		}
		a.startWriting(s, s.helloFrame(answer))
	}
	if s.side == Dialer {
		s.roundTrip.answered(time.Now())
	}
	s.peer.arrived.trip()
	s.startKeepalive(a)
	if answer == frame.SessionUnknown {
		s.unwanted = true
		s.sendPing() // the answer shows that the dialer wants the session
		return nil
	}
	s.begin()
	return nil
}

// begin tells the application that the session has begun.
func (s *Session) begin() {
	s.unwanted = false
	if s.cfg.OnHello != nil {
		s.cfg.OnHello(s)
	}
}

// beginWanted begins a session in place of one that could not be resumed, with
// the first frame that shows that the dialer wants it. A dialer that does not
// closes the link, perhaps behind GOAWAY.
func (s *Session) beginWanted(t frame.Type) {
	if t == frame.TypeGoAway {
		return
	}
	if _, leaving := s.PeerGoAway(); leaving && t != frame.TypeOpen {
		return
	}
	s.begin()
}

// applySettings takes the peer's settings over, for streams that this end has
// opened already as well.
func (s *Session) applySettings(hello *frame.Hello, window time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err // it was closed before the peer's HELLO was read
	}
	s.resumption.window = window
	if err := s.resumption.start(s.side, hello, s.cfg.Sessions.newID); err != nil {
		return err
	}
	s.peer.set(hello)
	more := hello.InitialWindow - frame.HelloDefaults.InitialWindow
	for _, st := range s.streams.byID {
		st.send.raiseBy(more)
	}
	s.streams.grantSlots(s.settings().MaxStreams)
	return nil
}

// helloFrame returns the HELLO frame of this end.
func (s *Session) helloFrame(answer frame.Answer) []byte {
	hello := s.cfg.hello(s.side)
	hello.Answer = answer
	s.mu.Lock()
	s.resumption.fill(&hello, s.acks.received.Load())
	attempt := s.resumption.attempt
	s.mu.Unlock()
	if s.side == Dialer {
		hello.Attempt = attempt
		if p := s.cfg.Predecessor; p != nil && attempt == 0 {
			hello.Replaces, hello.ReplacesToken = p.Session, p.Token
		}
	}
	return hello.Append(nil)
}
