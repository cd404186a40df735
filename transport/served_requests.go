package transport

import "github.com/parley-rpc/parley/internal/frame"

// request is an OPEN and the DATA that follows it at once: all that the peer
// sends on the stream, so far.
type request struct {
	frame.Header // of DATA
	header       []byte
	payload      []byte
	req          Request

	refused refusal
}

// heldOpen is an OPEN that waits for the frame behind it.
type heldOpen struct {
	frame.Header // Type is 0: there is none
	payload      []byte
}

// hold reports whether a frame is kept until the next one has come, or until the
// end of the turn: an OPEN, or the only message behind it. If what was kept must
// be handled before the frame, as it concerns the same streams, that becomes
// Streams.
func (d dispatcher) hold(in *arrival, h frame.Header, p []byte) (held bool, err error) {
	switch {
	case d.s.cfg.NewRequest == nil:
		return false, nil
	case h.Type == frame.TypeOpen && h.Flags == 0:
		if in.open.Type != 0 {
			err = d.handleHeld(in)
		}
		in.open = heldOpen{Header: h, payload: p}
		return true, err
	case in.open.Type != 0 && h.Stream == in.open.Stream && d.isOnly(h, p):
		in.requests = append(in.requests, request{Header: h, header: in.open.payload, payload: p})
		in.open = heldOpen{}
		return true, nil
	}
	later := len(in.requests) > 0 && h.Stream >= in.requests[0].Stream && !d.s.isLocal(h.Stream)
	if in.open.Type != 0 || later {
		err = d.handleHeld(in)
	}
	return false, err
}

// handleHeld makes Streams of what was held. Earlier DATA comes first: it may
// end a stream whose place one of these needs.
func (d dispatcher) handleHeld(in *arrival) error {
	if err := d.handleHeldData(in); err != nil {
		return err
	}
	requests := in.requests
	in.requests = requests[:0]
	for i := range requests {
		r := &requests[i]
		open := frame.Header{Type: frame.TypeOpen, Stream: r.Stream}
		if err := d.handleOpen(in, open, r.header); err != nil {
			return asProtocolError(open.Type, err)
		}
		in.data = append(in.data, heldData{Header: r.Header, payload: r.payload})
		if err := d.handleHeldData(in); err != nil {
			return err
		}
	}
	return d.handleHeldOpen(in)
}

// handleHeldOpen handles an OPEN that was held and has no message behind it.
func (d dispatcher) handleHeldOpen(in *arrival) error {
	open := in.open
	if open.Type == 0 {
		return nil
	}
	in.open = heldOpen{}
	return asProtocolError(open.Type, d.handleOpen(in, open.Header, open.payload))
}

// deliverRequests hands the requests of a turn to the application, with the
// session's mu taken once for all of them.
func (d dispatcher) deliverRequests(in *arrival) error {
	requests := in.requests
	if len(requests) == 0 {
		return nil
	}
	in.requests = requests[:0]
	defer clear(requests)
	for i := range requests {
		requests[i].req = d.s.cfg.NewRequest()
	}
	if err := d.addRequests(requests); err != nil {
		return asProtocolError(frame.TypeOpen, err)
	}
	d.s.noteMessage()
	for i := range requests {
		if err := d.deliverRequest(&requests[i]); err != nil {
			return err
		}
	}
	return nil
}

// addRequests adds the streams of requests, except those that are refused.
func (d dispatcher) addRequests(requests []request) (err error) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	for i := range requests {
		r := &requests[i]
		if r.refused, err = d.admitStream(r.Stream, len(r.header)); err != nil {
			return err
		}
		if r.refused.reset == nil {
			sv := r.req.Served()
			sv.s, sv.id, sv.size, sv.req = d.s, r.Stream, len(r.payload), r.req
			d.s.addServed(sv)
		}
	}
	return nil
}

func (d dispatcher) deliverRequest(r *request) error {
	if r.refused.reset != nil {
		return d.refuse(r.Stream, r.refused)
	}
	reset := r.req.Start(r.header, r.payload, r.Flags&frame.FlagMark != 0)
	if reset == nil {
		return nil
	}
	st := r.req.Served().Stream()
	st.Reset(reset.Code, reset.Reason)
	_ = st.Close() // never fails
	return d.countAborted()
}
