package transport

import "github.com/parley-rpc/parley/internal/frame"

// heldData is a DATA frame that is handled together with others.
type heldData struct {
	frame.Header
	payload []byte // in the read buffer
	answer  bool   // it may be the answer of an exchange

	// Whom it is for; neither, if that has ended.
	x  *Exchange
	st *Stream
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

// handleHeldData handles the DATA frames that are held.
func (d dispatcher) handleHeldData(in *arrival) error {
	held := in.data
	if len(held) == 0 {
		return nil
	}
	in.data = held[:0]
	if d.s.noteMessage() && len(held) == 1 {
		d.s.alternations++
	} else {
		d.s.alternations = 0
	}
	for len(held) > 0 {
		n, err := d.findReceivers(held)
		if deliverErr := d.deliverData(held[:n]); deliverErr != nil {
			err = deliverErr
		}
		clear(held[:n]) // an exchange or a stream may be in use again
		if err != nil {
			return asProtocolError(frame.TypeData, err)
		}
		held = held[n:]
	}
	return nil
}

// findReceivers finds whom DATA frames are for, with the session's mu taken once
// for all of them, and returns for how many it has.
func (d dispatcher) findReceivers(held []heldData) (n int, err error) {
	d.s.mu.Lock()
	n, err = d.lookUpReceivers(held)
	d.s.streams.exchangesEnded(countAnswers(held[:n]))
	opened := d.s.openWaiting()
	d.s.mu.Unlock()
	if opened {
		d.s.updateDetached() // the link may have been lost meanwhile
	}
	return n, err
}

// lookUpReceivers is findReceivers with mu held. The last frame of a stream is
// the last of them: once it is handled, another stream may use the memory.
// openWaiting must follow.
func (d dispatcher) lookUpReceivers(held []heldData) (n int, err error) {
	for i := range held {
		f := &held[i]
		if f.answer {
			f.x = d.s.streams.endExchange(f.Stream)
		}
		if f.x != nil {
			continue
		}
		if i > 0 && held[i-1].Stream == f.Stream {
			f.st = held[i-1].st
		} else if f.st, err = d.s.findStream(f.Stream); err != nil {
			return i, err
		}
		if f.Flags&frame.FlagEnd != 0 {
			return i + 1, nil
		}
	}
	return len(held), nil
}

// countAnswers returns how many of the frames are answers of exchanges.
func countAnswers(held []heldData) (n int) {
	for i := range held {
		if held[i].x != nil {
			n++
		}
	}
	return n
}

// deliverData passes DATA frames on, the consecutive ones of a stream together.
func (d dispatcher) deliverData(held []heldData) error {
	deliverAnswers(held)
	for i := 0; i < len(held); {
		f := &held[i]
		n := 1
		if f.st != nil {
			for i+n < len(held) && held[i+n].st == f.st {
				n++
			}
			if err := f.st.breach(f.st.handleData(held[i : i+n])); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}

// deliverAnswers hands answers to their exchanges. It first copies all of them
// and then wakes: with many calls in flight the memory of each is in no near
// cache, and the processor fetches that of several at once as long as nothing
// atomic is in between.
func deliverAnswers(held []heldData) {
	for i := range held {
		if f := &held[i]; f.x != nil {
			f.x.store(f.payload, f.Flags&frame.FlagMark != 0)
		}
	}
	for i := range held {
		if x := held[i].x; x != nil {
			x.wake <- struct{}{}
		}
	}
}
