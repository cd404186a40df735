package transport

import "github.com/parley-rpc/parley/internal/frame"

// answer is a frame that may be all that the peer sends on a stream of this end.
type answer struct {
	frame.Header
	payload []byte // in the read buffer
	x       *Exchange
}

// isAnswer reports whether a frame may be the answer of an exchange: a whole
// message that ends the direction, within all limits of a stream.
func (d dispatcher) isAnswer(h frame.Header, p []byte) bool {
	return d.isOnly(h, p) && d.s.isLocal(h.Stream)
}

// isOnly reports whether a frame is a small message that ends a direction. If it
// is the first of the direction, no rule about it can be broken.
func (d dispatcher) isOnly(h frame.Header, p []byte) bool {
	return h.Type == frame.TypeData && h.Flags&frame.FlagEnd != 0 &&
		len(p) <= min(maxExchanged, d.s.cfg.MaxMessage, d.s.cfg.InitialWindow-frameCost)
}

// handleAnswers handles the answers that a turn has brought, with the session's
// mu taken once for all of them.
func (d dispatcher) handleAnswers(in *arrival) error {
	answers := in.answers
	if len(answers) == 0 {
		return nil
	}
	in.answers = answers[:0]
	d.s.noteMessage()
	d.s.mu.Lock()
	for i := range answers {
		answers[i].x = d.s.streams.endExchange(answers[i].Stream)
	}
	opened := d.s.openWaiting()
	d.s.mu.Unlock()
	if opened {
		d.s.updateDetached() // the link may have been lost meanwhile
	}
	for i := range answers {
		a := &answers[i]
		if a.x != nil {
			a.x.deliver(a.payload, a.Flags&frame.FlagMark != 0)
			a.x = nil // it may be in use again
		} else if err := d.handleStreamFrame(a.Header, a.payload); err != nil {
			return asProtocolError(a.Type, err)
		}
	}
	return nil
}
