package transport

// recvHeader is the header that the accepting end may send first. The half's mu
// guards it.
type recvHeader struct {
	bytes   []byte
	settled bool          // the header has arrived, or none can arrive any more
	done    chan struct{} // closed when settled; nil while nothing waits for that
	check   HeaderCheck   // nil: any header will do
}

// HeaderCheck returns what is wrong with a header of the accepting end, nil if
// nothing is. It must not block or keep the header. It may run on the reader
// goroutine.
type HeaderCheck func(header []byte) error

// OnHeader registers check, which is called once with the accepting end's
// header, when that arrives. If check returns an error, the stream is abandoned
// at once, with that cause, and the peer gets a RESET, even if nothing waits in
// Recv. If the header has arrived, OnHeader calls check at once.
func (st *Stream) OnHeader(check HeaderCheck) {
	st.recv.mu.Lock()
	arrived := st.recv.header.bytes
	st.recv.header.check = check
	st.recv.mu.Unlock()
	if arrived != nil {
		st.checkHeader(check, arrived)
	}
}

// checkHeader abandons the stream if check finds a fault in its header.
func (st *Stream) checkHeader(check HeaderCheck, header []byte) {
	if check == nil {
		return
	}
	if err := check(header); err != nil {
		st.abort(err, notifyPeer)
	}
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
