package transport

import (
	"bytes"
	"errors"

	"github.com/parley-rpc/parley/internal/frame"
)

// Predecessor names a session that its dialer has lost and given up, so that the
// acceptor that still keeps it can end it at once. It is a secret: it has the token.
type Predecessor struct {
	Session []byte // its id
	Token   []byte // the token that the dialer got last
	Attempt uint64 // of the attempt to resume by which it is named; 0: it is named by a new session
}

// AsPredecessor returns what names a dialer's session to a later one, in
// Config.Predecessor. It is nil for a session that could not be resumed: the acceptor
// does not keep that.
func (s *Session) AsPredecessor() *Predecessor {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.side != Dialer || s.id == nil {
		return nil
	}
	return &Predecessor{Session: bytes.Clone(s.id), Token: bytes.Clone(s.token)}
}

// errReplaced is why a session ends whose dialer has begun another in its place. For a
// link that it may still have, the new one has taken its place.
var errReplaced = &CloseError{Code: CloseAbnormal, Reason: "link lost, and the peer has begun a new session in place of this one"}

// EndPredecessor ends the session that r names, and reports whether it has: it has to be
// there, r's token one that it honors, and principal its own. Its streams fail as those
// of a session that was not resumed in time. A link that it may still have is closed.
func (k *Sessions) EndPredecessor(r Predecessor, principal string) bool {
	s := k.get(r.Session)
	if s == nil || !s.cfg.isOf(principal) {
		return false
	}
	var a *attachment
	ended := s.endIf(errReplaced, func() bool {
		// A later attempt that was granted counts more.
		if !s.admits(r.Token) || r.Attempt != 0 && r.Attempt <= s.attempts {
			return false
		}
		a = s.at
		s.closing.Add(1)
		return true
	})
	if !ended {
		return false
	}
	s.out.discard()
	go func() { // it may take a second
		defer s.closing.Done()
		_ = a.link.Close(errReplaced.onWire())
	}()
	return true
}

// replace ends the session that a new one replaces, wherever it is.
func (s *Session) replace(r Predecessor) {
	if s.cfg.Sessions != nil && s.cfg.Sessions.EndPredecessor(r, s.cfg.Principal) {
		return
	}
	if s.cfg.OnUnknownPredecessor != nil {
		s.cfg.OnUnknownPredecessor(r, s.cfg.Principal)
	}
}

// succeed has a new session begin on a link whose peer does not know the one that was
// to be resumed (PROTOCOL.md, section "Step by step"). The old one ends.
func (s *Session) succeed(a *attachment, hello *frame.Hello) error {
	s.mu.Lock()
	ended := s.err
	a.succeeded = ended == nil // from here on Resume waits for the answer
	s.mu.Unlock()
	if ended != nil {
		return ended
	}
	var fresh *Session
	if a.next != nil {
		a.next(func(cfg Config) (_ *Session, err error) {
			fresh, err = s.newSuccessor(a, cfg)
			return fresh, err
		})
	}
	unknown := &CloseError{Code: CloseAbnormal, Reason: "link lost, and the peer does not know the session any more"}
	if fresh == nil {
		a.answered(ErrSessionUnknown)
		s.fail(unknown)
		return &CloseError{Code: CloseNormal, Reason: "the session was not resumed"}
	}
	a.s, a.fresh = fresh, fresh
	err := fresh.begin(a, hello, frame.NoAnswer)
	if err == nil {
		a.beginWriting(fresh, frame.AppendAck(nil, 0)) // tells the peer that its answer was read
	}
	a.answered(ErrSessionUnknown)
	s.fail(unknown)
	return err
}

// newSuccessor makes a session in place of s, with the settings that the peer was told.
func (s *Session) newSuccessor(a *attachment, cfg Config) (*Session, error) {
	told := &s.cfg
	cfg.MaxStreams, cfg.MaxMessage, cfg.MaxHeader, cfg.MaxFrame = told.MaxStreams, told.MaxMessage, told.MaxHeader, told.MaxFrame
	cfg.InitialWindow, cfg.MaxBuffered = told.InitialWindow, told.MaxBuffered
	cfg.Keepalive, cfg.ResumeWindow, cfg.ReplayLimit = told.Keepalive, told.ResumeWindow, told.ReplayLimit
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
