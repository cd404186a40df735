package transport

import (
	"errors"

	"github.com/parley-rpc/parley/internal/frame"
)

// startSuccessor starts a new session on a link whose peer does not know the
// session to resume (PROTOCOL.md, section "Step by step"). The old one ends.
func (r *resumeAttempt) startSuccessor(a *attachment, hello *frame.Hello) error {
	s := a.s
	s.mu.Lock()
	ended := s.err
	r.certain = ended == nil // from here on Resume waits for the result
	s.mu.Unlock()
	if ended != nil {
		return ended
	}
	var fresh *Session
	if r.next != nil {
		r.next(func(cfg Config) (_ *Session, err error) {
			fresh, err = s.makeSuccessor(a, cfg)
			return fresh, err
		})
	}
	unknown := &CloseError{Code: CloseAbnormal, Reason: "session lost: the peer does not know it"}
	if fresh == nil {
		r.finish(ErrSessionUnknown)
		s.fail(unknown)
		return &CloseError{Code: CloseNormal, Reason: "the session was not resumed"}
	}
	a.s, r.successor = fresh, fresh
	err := fresh.establish(a, hello, frame.NoAnswer)
	if err == nil {
		a.startWriting(fresh, frame.AppendAck(nil, 0)) // tells the peer that its answer was read
	}
	r.finish(ErrSessionUnknown)
	s.fail(unknown)
	return err
}

// makeSuccessor makes a session in place of s, with the settings that
// the peer has received.
func (s *Session) makeSuccessor(a *attachment, cfg Config) (*Session, error) {
	sent := &s.cfg
	cfg.MaxStreams, cfg.MaxMessage, cfg.MaxHeader, cfg.MaxFrame = sent.MaxStreams, sent.MaxMessage, sent.MaxHeader, sent.MaxFrame
	cfg.InitialWindow, cfg.MaxBuffered = sent.InitialWindow, sent.MaxBuffered
	cfg.Keepalive, cfg.ResumeWindow, cfg.ReplayLimit = sent.Keepalive, sent.ResumeWindow, sent.ReplayLimit
	var err error
	cfg.Parameters, err = cfg.Parameters.withDefaults()
	if err != nil {
		return nil, err
	}
	if !cfg.resumes(Dialer) {
		return nil, errors.New("transport: Resume: Config.OnDetached is missing")
	}
	return newSession(cfg, Dialer, a), nil
}
