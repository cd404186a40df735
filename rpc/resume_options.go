package rpc

import (
	"fmt"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Resumption bounds how calls outlive a lost link. The zero value of a field
// means its default.
type Resumption struct {
	// Window is how long a detached connection is kept; the peer's value
	// applies if it is shorter. After that its calls fail with CodeUnavailable.
	// Default 30 s.
	Window time.Duration
	// ReplayLimit is how many bytes a connection may keep in any case that the
	// peer has not acknowledged. Send blocks when as many are in flight as the
	// network path holds. Default 1 MiB, at least 64 KiB.
	ReplayLimit int
	// MaxReplay is how many of these bytes a connection keeps at most where the
	// path holds more than ReplayLimit, at a server out of
	// Limits.MaxReplayMemory. Default 32 MiB, or ReplayLimit if that is more;
	// at least ReplayLimit.
	MaxReplay int
	// MaxDetached is how many detached connections a server keeps. Beyond it,
	// the oldest one ends of the principal, or of the address if there is none,
	// that has most of them. Default 10,000.
	MaxDetached int
	// MaxDetachedBytes is how many bytes they hold together: data to be sent,
	// and data that had arrived unread when the link was lost. Beyond it, a
	// connection ends of the principal or address that holds most. Default 256
	// MiB.
	MaxDetachedBytes int
}

// WithResumption bounds how calls outlive a lost link. MaxDetached and
// MaxDetachedBytes apply to servers only. It takes precedence over
// WithTransport.
func WithResumption(r Resumption) Option {
	return endpointOption(func(e *endpoint) { e.resumption = r })
}

// WithSessionIDs makes a server use newID for the ids of its connections
// (Conn.SessionID): 16 to 64 bytes that it has not returned before. An id may
// say which of several servers keeps the connection. It is no secret, unlike the
// token that resumes it. newID must not block. Default: 16 random bytes.
func WithSessionIDs(newID func() []byte) ServerOption {
	return serverOption(func(s *Server) { s.sessions.NewID = newID })
}

// WithoutResumption makes the calls of a connection fail with CodeUnavailable
// as soon as its link is lost.
func WithoutResumption() Option {
	return endpointOption(func(e *endpoint) { e.resumption = Resumption{Window: -1} })
}

func (r *Resumption) validate() error {
	for name, v := range map[string]int{"ReplayLimit": r.ReplayLimit, "MaxReplay": r.MaxReplay, "MaxDetached": r.MaxDetached, "MaxDetachedBytes": r.MaxDetachedBytes} {
		if v < 0 {
			return fmt.Errorf("Resumption.%s is negative: %d", name, v)
		}
	}
	return nil
}

// apply sets the parameters that r contains.
func (r *Resumption) apply(p *transport.Parameters) {
	if r.Window != 0 {
		p.ResumeWindow = r.Window
	}
	if r.ReplayLimit != 0 {
		p.ReplayLimit = r.ReplayLimit
	}
	if r.MaxReplay != 0 {
		p.MaxReplay = r.MaxReplay
	}
}

// parameters returns the parameters of the endpoint's sessions.
func (e *endpoint) parameters() transport.Parameters {
	p := e.transport
	e.resumption.apply(&p)
	return p
}
