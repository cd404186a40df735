package rpc

import (
	"fmt"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// Resumption bounds how calls outlive the loss of a link. The zero value of a
// field stands for its default.
type Resumption struct {
	// Window is how long a connection is kept whose link was lost; what the other
	// end says counts if it is shorter. Then its calls fail with CodeUnavailable.
	// Default 30 s.
	Window time.Duration
	// ReplayLimit is how many bytes a connection keeps that the other end has not
	// acknowledged. When they are that many, Send blocks. Default 1 MiB, at least 64
	// KiB.
	ReplayLimit int
	// MaxDetached is how many connections without a link a server keeps. Of more, one ends
	// of the principal that has most of them, or of the address where none is named: the
	// one that has been without for longest. Default 10,000.
	MaxDetached int
	// MaxDetachedBytes is how many bytes they hold, together: what is kept to be sent, and
	// what had arrived and was not received when the link was lost. Beyond it, one ends of
	// the principal or address whose connections hold most. Default 256 MiB.
	MaxDetachedBytes int
}

// WithResumption bounds how calls outlive the loss of a link. MaxDetached and
// MaxDetachedBytes concern servers only. It goes before what WithTransport says.
func WithResumption(r Resumption) Option {
	return endpointOption(func(e *endpoint) { e.resumption = r })
}

// WithoutResumption has the calls of a connection fail with CodeUnavailable as
// soon as its link is lost.
func WithoutResumption() Option {
	return endpointOption(func(e *endpoint) { e.resumption = Resumption{Window: -1} })
}

func (r *Resumption) validate() error {
	for name, v := range map[string]int{"ReplayLimit": r.ReplayLimit, "MaxDetached": r.MaxDetached, "MaxDetachedBytes": r.MaxDetachedBytes} {
		if v < 0 {
			return fmt.Errorf("Resumption.%s is negative: %d", name, v)
		}
	}
	return nil
}

// apply sets the parameters that r gives.
func (r *Resumption) apply(p *transport.Parameters) {
	if r.Window != 0 {
		p.ResumeWindow = r.Window
	}
	if r.ReplayLimit != 0 {
		p.ReplayLimit = r.ReplayLimit
	}
}

// parameters returns those of the endpoint's sessions.
func (e *endpoint) parameters() transport.Parameters {
	p := e.transport
	e.resumption.apply(&p)
	return p
}
