package transport

// recvHeader is the header that the accepting end may send first. The half's mu
// guards it.
type recvHeader struct {
	bytes   []byte
	settled bool          // the header has arrived, or none can arrive any more
	done    chan struct{} // closed when settled; nil while nothing waits for that
}

// settle sets the header, nil for none, unless it is settled.
func (h *recvHeader) settle(header []byte) {
	if h.settled {
		return
	}
	h.settled, h.bytes = true, header
	if h.done != nil {
		close(h.done)
	}
}

// whenSettled returns a channel that is closed when the header is settled, or
// nil if it is.
func (h *recvHeader) whenSettled() <-chan struct{} {
	if h.settled {
		return nil
	}
	if h.done == nil {
		h.done = make(chan struct{})
	}
	return h.done
}
