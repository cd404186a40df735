package transport

import (
	"errors"

	"github.com/parley-rpc/parley/internal/frame"
)

// resetFrame is a RESET to be queued.
type resetFrame struct {
	stream uint64
	local  bool     // this end has opened the stream
	after  position // of what must be sent first
	code   ResetCode
	reason string
}

// putReset queues a RESET: ahead of data, but never ahead of its stream's OPEN
// or END. When many urgent frames wait, it leaves out the reason: an
// application that abandons many streams at once must not look like a peer that
// provokes answers.
func (o *outbox) putReset(r resetFrame) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.urgent.bytes > o.urgent.limit/2 {
		r.reason = ""
	}
	f := frame.AppendReset(make([]byte, 0, frame.MaxHeaderLen+16+len(r.reason)), r.stream, uint64(r.code), r.reason)
	if o.data.isTaken(r.after) {
		// The number of local streams is bounded, that of the peer's is not.
		if err := o.putUrgent(&o.urgent.priority, f); !r.local || !errors.Is(err, errFlood) {
			return err
		}
	}
	if o.err != nil {
		return o.err
	}
	l, _ := o.data.laneOf(r.after)
	o.data.appendFrame(l, f)
	o.wake()
	return nil
}
