package transport

import (
	"crypto/subtle"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Config configures a session: its parameters, its owner, and the functions
// that it calls. The zero value of a field is its default. NewSession refuses a
// value out of range with an error that names the field.
type Config struct {
	Parameters

	// Sessions, at an acceptor, keeps the sessions that links may resume.
	Sessions *Sessions
	// Principal, at an acceptor, is the user that the link belongs to. Only a
	// link of the same principal may resume the session, or replace it.
	Principal string
	// SamePrincipal, if set, reports whether a link with one Principal may
	// resume or replace a session that started with another. Default: they are
	// equal. It must not block, nor use either session.
	SamePrincipal func(began, resuming string) bool
	// Owner, at an acceptor, is the user for whom Sessions counts the session
	// while it is detached. Default: Principal.
	Owner string
	// Predecessor, at a dialer, names a session that was lost and given up,
	// which this one replaces. An acceptor that still keeps it ends it.
	Predecessor *Predecessor
	// OnUnknownPredecessor, if set, at an acceptor, is called when a dialer's
	// new session replaces one that Sessions does not have. Another acceptor
	// may have it (EndPredecessor). The dialer has authenticated as principal,
	// but r has not been verified. It must not block.
	OnUnknownPredecessor func(r Predecessor, principal string)
	// OnDetached is called when the link was lost and the session waits for
	// another. A dialer then calls Resume; it cannot resume without OnDetached.
	// OnResumed or OnEnd follows. It must not block.
	OnDetached func(s *Session, err error)
	// OnResumed, if set, is called when the session continues on a new link. It
	// must not block.
	OnResumed func(s *Session)
	// OnHello, if set, is called when the peer's HELLO has arrived: from then
	// on the session is known to be a new one. If the peer has asked for another
	// session, which is unknown, it is called when the peer has sent a frame on
	// this one: a dialer that does not need it closes the link. It must not
	// block.
	OnHello func(s *Session)
	// OnGoAway, if set, is called when the peer announces that it goes away. It
	// must not block.
	OnGoAway func(s *Session)
	// OnStream, if set, is called instead of Accept with each stream that the
	// peer opens, and the header that it was opened with. The header is valid
	// until OnStream returns. OnStream runs on the reader goroutine: it must
	// not block, nor close the session. If it returns an error, the stream is
	// reset with that error, and counts for MaxResets.
	OnStream func(st *Stream, header []byte) *ResetError
	// NewRequest, if set, is called for a stream that the peer opens together
	// with one small message, the only one: the session calls Start of the
	// Request that it returns instead of OnStream. It must not block.
	NewRequest func() Request
	// Go, if set, runs f on another goroutine, as the go statement does. A
	// goroutine that has run such a function before has a stack of the right
	// size. A session writes on it whenever it has something to write. Go must
	// not block.
	Go func(f func())
	// OnEnd, if set, is called once when the session has ended, with the
	// reason. It must not block, nor close the session.
	OnEnd func(err error)
}

// belongsTo reports whether a link of a principal may resume the session.
func (c *Config) belongsTo(principal string) bool {
	if c.SamePrincipal != nil {
		return c.SamePrincipal(c.Principal, principal)
	}
	return subtle.ConstantTimeCompare([]byte(c.Principal), []byte(principal)) == 1
}

func (c *Config) owner() string {
	if c.Owner != "" {
		return c.Owner
	}
	return c.Principal
}

// resumes reports whether this end wants its sessions to be resumed.
func (c *Config) resumes(side Side) bool {
	able := c.Sessions != nil
	if side == Dialer {
		able = c.OnDetached != nil
	}
	return able && c.ResumeWindow > 0
}

// resumeWindow returns how long a session with the peer of this HELLO is kept
// while it is detached, 0 if either end does not resume.
func (c *Config) resumeWindow(side Side, hello *frame.Hello) time.Duration {
	if !c.resumes(side) {
		return 0
	}
	peer := time.Duration(min(hello.ResumeWindow, uint64(maxSetting))) * time.Millisecond
	return min(peer, c.ResumeWindow)
}

// hello returns the HELLO of this end, without what belongs to one session.
func (c *Config) hello(side Side) frame.Hello {
	h := frame.Hello{
		MaxFrame:      uint64(c.MaxFrame),
		MaxMessage:    uint64(c.MaxMessage),
		MaxHeader:     uint64(c.MaxHeader),
		MaxStreams:    uint64(c.MaxStreams),
		InitialWindow: uint64(c.InitialWindow),
		Keepalive:     uint64(c.Keepalive.Milliseconds()),
		Agent:         c.Agent,
	}
	if c.resumes(side) {
		h.ResumeWindow = uint64(c.ResumeWindow.Milliseconds())
		h.ReplayLimit = uint64(c.ReplayLimit)
	}
	return h
}
