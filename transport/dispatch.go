package transport

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/frame"
)

// dispatcher handles the frames that the reader goroutine of a session has
// read. Only that goroutine uses it.
type dispatcher struct{ s *Session }

// handleFrame handles one frame. An error means that the peer has broken a rule
// that ends the session. A rule that ends only its stream is handled here.
func (a *attachment) handleFrame(in *arrival, h frame.Header, p []byte) error {
	switch {
	case !a.helloReceived && h.Type != frame.TypeHello:
		return protocolError(CloseProtocolError, "%v before HELLO", h.Type)
	case in.last:
		return protocolError(CloseProtocolError, "%v after a HELLO that asks to resume", h.Type)
	case h.Type == frame.TypeHello:
		return asProtocolError(h.Type, a.handleHello(in, p))
	case !a.confirmed:
		a.confirmToken()
	}
	if a.s.unwanted {
		a.s.beginWanted(h.Type)
	}
	return asProtocolError(h.Type, dispatcher{a.s}.handleFrame(in, h, p))
}

// asProtocolError turns an error about a frame into one that ends the session
// with code 1002, unless the error has a code.
func asProtocolError(t frame.Type, err error) error {
	if err == nil {
		return nil // the target below is allocated for errors only
	}
	var c *CloseError
	if isOverflow(err) || errors.As(err, &c) {
		return err
	}
	return protocolError(CloseProtocolError, "%v: %v", t, err)
}

func (d dispatcher) handleFrame(in *arrival, h frame.Header, p []byte) error {
	answer := d.isAnswer(h, p)
	if !answer {
		if held, err := d.hold(in, h, p); held || err != nil {
			return err
		}
	}
	if h.Type == frame.TypeData {
		in.data = append(in.data, heldData{Header: h, payload: p, answer: answer})
		return nil
	}
	if err := d.handleHeldData(in); err != nil {
		return err
	}
	switch h.Type {
	case frame.TypeOpen:
		return d.handleOpen(in, h, p)
	case frame.TypePing:
		return d.handlePing(p)
	case frame.TypePong:
		return d.handlePong(p)
	case frame.TypeAck:
		return d.handleAck(p)
	case frame.TypeGoAway:
		return d.handleGoAway(p)
	}
	if !h.Type.Known() {
		return nil // ParseHeader has accepted it: it may be ignored
	}
	return d.handleStreamFrame(h, p)
}

// handleOpen adds a stream that the peer opens, or refuses it.
func (d dispatcher) handleOpen(in *arrival, h frame.Header, header []byte) error {
	d.s.mu.Lock()
	refused, err := d.admitStream(h.Stream, len(header))
	if err != nil {
		d.s.mu.Unlock()
		return err
	}
	if refused.reset != nil {
		d.s.mu.Unlock()
		return d.refuse(h.Stream, refused)
	}
	st := d.s.initStream(d.s.streams.pool.getRemote(), h.Stream)
	d.s.streams.insertRemote(st)
	d.s.mu.Unlock()

	st.header = header // valid until it is delivered
	if h.Flags&frame.FlagEnd != 0 {
		if err := st.handleEnd(nil); err != nil {
			return err
		}
	}
	in.streams = append(in.streams, st)
	return nil
}

// refusal is why a new stream of the peer is refused.
type refusal struct {
	reset   *ResetError // nil: it is not
	crossed bool        // with this end's GOAWAY or close: the peer could not know
}

// admitStream records a new stream of the peer, and returns whether it is
// refused. The error means that its id is not valid. mu is held.
func (d dispatcher) admitStream(id uint64, headerLen int) (r refusal, err error) {
	if err := d.s.streams.recordRemote(id); err != nil {
		return r, err
	}
	if r.reset = d.refusal(headerLen); r.reset != nil {
		r.crossed = d.s.goAway.finalSent || d.s.err != nil
	}
	return r, nil
}

// refuse refuses a stream of the peer.
func (d dispatcher) refuse(id uint64, r refusal) error {
	if err := d.s.out.putReset(resetFrame{stream: id, code: r.reset.Code, reason: r.reset.Reason}); err != nil || r.crossed {
		return err
	}
	return d.countAborted()
}

// refusal returns why a new stream of the peer is refused, nil if it is not; mu
// is held.
func (d dispatcher) refusal(headerLen int) *ResetError {
	if d.s.err != nil || d.s.goAway.finalSent {
		return &ResetError{Code: ResetRefused, Reason: "the session is draining"}
	}
	if refusal := d.s.streams.refusal(d.s.cfg.MaxStreams); refusal != nil {
		return refusal
	}
	if headerLen > d.s.cfg.MaxHeader {
		return &ResetError{Code: ResetLimit, Reason: fmt.Sprintf("header exceeds the limit of %d bytes", d.s.cfg.MaxHeader)}
	}
	return nil
}

// handleStreamFrame handles a frame of an existing stream that is not DATA.
func (d dispatcher) handleStreamFrame(h frame.Header, p []byte) error {
	d.s.mu.Lock()
	st, err := d.s.findStream(h.Stream)
	d.s.mu.Unlock()
	if err != nil {
		return err
	}
	if st == nil {
		return checkForm(h.Type, p)
	}
	switch h.Type {
	case frame.TypeHeader:
		if err = d.checkHeader(p); err == nil {
			err = st.handleHeader(p)
		}
	case frame.TypeEnd:
		if err = d.checkHeader(p); err == nil {
			err = st.handleEnd(p)
		}
	case frame.TypeWindow:
		return st.handleWindow(p)
	case frame.TypeReset:
		return d.handleReset(st, p)
	}
	if err == nil {
		return nil
	}
	return st.breach(err)
}

// breach abandons a stream of which the peer has broken the rules. It returns
// any other error.
func (st *Stream) breach(err error) error {
	var broken *ResetError
	if errors.As(err, &broken) {
		st.abort(broken, notifyPeer)
		return nil
	}
	return err
}

// checkForm returns what is wrong with the payload of a frame whose stream has
// ended. Such a frame is dropped, but it must be well-formed.
func checkForm(t frame.Type, p []byte) (err error) {
	switch t {
	case frame.TypeWindow:
		_, err = frame.ParseWindow(p)
	case frame.TypeReset:
		_, _, err = frame.ParseReset(p)
	}
	return err
}

func (d dispatcher) checkHeader(p []byte) error {
	if len(p) > d.s.cfg.MaxHeader {
		return &ResetError{Code: ResetLimit, Reason: fmt.Sprintf("header or trailer exceeds the limit of %d bytes", d.s.cfg.MaxHeader)}
	}
	return nil
}

func (st *Stream) handleWindow(p []byte) error {
	limit, err := frame.ParseWindow(p)
	if err != nil {
		return err
	}
	st.send.raise(limit)
	return nil
}

func (d dispatcher) handleReset(st *Stream, p []byte) error {
	code, reason, err := frame.ParseReset(p)
	if err != nil {
		return err
	}
	premature := !st.opener && !st.send.over()
	st.abort(&ResetError{Code: ResetCode(code).assigned(), Reason: reason, Remote: true}, peerKnows)
	if premature {
		return d.countAborted()
	}
	return nil
}

func (d dispatcher) handleAck(p []byte) error {
	n, err := frame.ParseAck(p)
	if err == nil && !d.s.out.ack(n) {
		err = fmt.Errorf("invalid count of acknowledged frames: %d", n)
	}
	return err
}
