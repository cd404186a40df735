package transport

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// resumption is what a link needs to take a session over: the session's id, the
// tokens that prove that it may, and the number of the last attempt
// (PROTOCOL.md, section "Resumption"). The session's mu guards it, except for
// window, which the reader goroutine sets once.
type resumption struct {
	window    time.Duration // how long the session is kept while it is detached; 0: it cannot be resumed
	id        []byte
	token     []byte // for the next attempt
	prevToken []byte // at an acceptor: the token before, until the dialer is known to have the next
	attempt   uint64 // the last one
}

func (r *resumption) enabled() bool { return r.window > 0 }

// start sets the id and the first token. The acceptor makes them, and the
// dialer finds them in the peer's HELLO.
func (r *resumption) start(side Side, hello *frame.Hello, newID func() ([]byte, error)) (err error) {
	switch {
	case !r.enabled():
		return nil
	case side == Acceptor:
		r.id, err = newID()
		r.token = random(frame.TokenLen)
		return err
	case hello.Session == nil:
		return errors.New("names no session though it can be resumed")
	}
	r.id, r.token = bytes.Clone(hello.Session), bytes.Clone(hello.Token)
	return nil
}

// ID returns the id of the session, which the acceptor has chosen. It is nil at
// a dialer before the acceptor's HELLO, and if the session cannot be resumed.
func (s *Session) ID() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.resumption.id)
}

// random returns n random bytes that are safe as a secret.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// admits reports whether a token is valid. The comparison takes the same time
// whichever bytes differ. An empty token is never valid: prevToken is empty
// after confirm.
func (r *resumption) admits(token []byte) bool {
	if len(token) == 0 {
		return false
	}
	current := subtle.ConstantTimeCompare(token, r.token)
	previous := subtle.ConstantTimeCompare(token, r.prevToken)
	return current|previous == 1
}

// check reports whether an acceptor's session admits the link with this HELLO.
// The error says that a newer attempt has overtaken it.
func (r *resumption) check(hello *frame.Hello) (bool, error) {
	switch {
	case !r.admits(hello.Token):
		return false, nil
	case hello.Attempt <= r.attempt:
		return false, errSuperseded
	}
	return true, nil
}

// replacedBy reports whether a new session may replace this one as p says. A
// later attempt that was granted takes precedence.
func (r *resumption) replacedBy(p Predecessor) bool {
	return r.admits(p.Token) && (p.Attempt == 0 || p.Attempt > r.attempt)
}

// rotate makes a new token. The one with which the dialer has asked stays valid
// until confirm.
func (r *resumption) rotate(asked []byte) {
	r.prevToken, r.token = bytes.Clone(asked), random(frame.TokenLen)
}

// confirm makes the previous token invalid: the dialer has the next one.
func (r *resumption) confirm() { r.prevToken = nil }

// fill adds to a HELLO what the peer needs to know of the session.
func (r *resumption) fill(hello *frame.Hello, received uint64) {
	if r.enabled() {
		hello.Session, hello.Token = r.id, r.token
		hello.Received = received
	}
}
