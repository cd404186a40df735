package transport

import "bytes"

// Predecessor names a session that its dialer has lost and given up, so that an
// acceptor that still keeps it can end it at once. It contains the token, which
// is a secret.
type Predecessor struct {
	Session []byte // its id
	Token   []byte // the last token that the dialer got
	Attempt uint64 // the attempt to resume that names it; 0: a new session names it
}

// AsPredecessor returns what names a dialer's session to a later one, in
// Config.Predecessor. It is nil for a session that could not be resumed: the
// acceptor does not keep that.
func (s *Session) AsPredecessor() *Predecessor {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.side != Dialer || s.resumption.id == nil {
		return nil
	}
	return &Predecessor{Session: bytes.Clone(s.resumption.id), Token: bytes.Clone(s.resumption.token)}
}

// errReplaced is why a session ends if its dialer has started another in its
// place. A link that it may still have is closed with errSuperseded.
var errReplaced = &CloseError{Code: CloseAbnormal, Reason: "session lost: the peer has started a new one"}

// EndPredecessor ends the session that r names, and reports whether it has. The
// session must be known, admit r's token, and belong to principal. Its streams
// fail like those of a session that was not resumed in time. A link that it may
// still have is closed.
func (k *Sessions) EndPredecessor(r Predecessor, principal string) bool {
	s := k.get(r.Session)
	if s == nil || !s.cfg.belongsTo(principal) {
		return false
	}
	var a *attachment
	ended := s.endIf(errReplaced, func() bool {
		if !s.resumption.replacedBy(r) {
			return false
		}
		a = s.link
		s.closingLinks.Add(1)
		return true
	})
	if !ended {
		return false
	}
	s.out.discard()
	go func() { // it may take a second
		defer s.closingLinks.Done()
		_ = a.link.Close(errReplaced.onWire())
	}()
	return true
}

// replace ends the session that a new one replaces, or lets the application do
// so if Sessions does not know it.
func (s *Session) replace(r Predecessor) {
	if s.cfg.Sessions != nil && s.cfg.Sessions.EndPredecessor(r, s.cfg.Principal) {
		return
	}
	if s.cfg.OnUnknownPredecessor != nil {
		s.cfg.OnUnknownPredecessor(r, s.cfg.Principal)
	}
}
