package transport

import (
	"errors"

	"github.com/parley-rpc/parley/internal/frame"
)

// lastWord is the RESET of a stream.
type lastWord struct {
	stream uint64
	own    bool   // this end has opened the stream
	behind uint64 // the position of what must come first
	code   ResetCode
	reason string
}

// putReset queues a RESET: ahead of data, but never ahead of its stream's OPEN or
// END. When many wait, reasons are left out: an application that gives many
// streams up at once must not look like a peer that provokes answers.
func (o *outbox) putReset(r lastWord) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.alarmed > o.urgentLimit/2 {
		r.reason = ""
	}
	f := frame.AppendReset(make([]byte, 0, frame.MaxHeaderLen+16+len(r.reason)), r.stream, uint64(r.code), r.reason)
	if r.behind <= o.taken {
		// Of the peer's streams there is no end, of our own there is.
		if err := o.alarm(&o.priority, f); !r.own || !errors.Is(err, errFlood) {
			return err
		}
	}
	if o.err != nil {
		return o.err
	}
	c := o.data.grow(len(f))
	c.buf = append(c.buf, f...)
	o.appended(c, len(f))
	o.wake()
	return nil
}
