package transport

import (
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/frame"
)

// takeFrame takes one frame in. An error is a broken rule that ends the session;
// one that ends only its stream is dealt with here.
func (a *attachment) takeFrame(in *arrival, h frame.Header, p []byte) error {
	switch {
	case !a.greeted && h.Type != frame.TypeHello:
		return protocolError(CloseProtocolError, "%v before HELLO", h.Type)
	case in.last:
		return protocolError(CloseProtocolError, "%v behind a HELLO that asks to resume", h.Type)
	case h.Type == frame.TypeHello:
		return asProtocolError(h.Type, a.takeHello(in, p))
	case !a.proven:
		a.s.prove(a)
	}
	return asProtocolError(h.Type, a.s.takeFrame(in, h, p))
}

// asProtocolError makes an error about a frame one that ends the session with
// code 1002, unless it says what to do.
func asProtocolError(t frame.Type, err error) error {
	if err == nil {
		return nil // the targets below are made for errors only
	}
	var c *CloseError
	if errors.Is(err, errFlood) || errors.Is(err, errUnacknowledged) || errors.As(err, &c) {
		return err
	}
	return protocolError(CloseProtocolError, "%v: %v", t, err)
}

func (s *Session) takeFrame(in *arrival, h frame.Header, p []byte) error {
	switch h.Type {
	case frame.TypeOpen:
		return s.takeOpen(in, h, p)
	case frame.TypePing:
		return s.handlePing(p)
	case frame.TypePong:
		return s.handlePong(p)
	case frame.TypeAck:
		return s.takeAck(p)
	case frame.TypeGoAway:
		return s.takeGoAway(p)
	}
	if !h.Type.Known() {
		return nil // the header has passed: it may be ignored
	}
	return s.takeStreamFrame(h, p)
}

// takeOpen enters a stream that the peer opens, or refuses it.
func (s *Session) takeOpen(in *arrival, h frame.Header, header []byte) error {
	s.mu.Lock()
	if h.Stream%2 == s.nextID%2 || h.Stream <= s.lastPeer {
		last := s.lastPeer
		s.mu.Unlock()
		return fmt.Errorf("stream id %d is not the peer's, or not above %d", h.Stream, last)
	}
	s.lastPeer = h.Stream
	if refusal := s.refusal(len(header)); refusal != nil {
		leaving := s.leaving.final || s.err != nil // then it has crossed on the way
		s.mu.Unlock()
		if err := s.out.putReset(lastWord{stream: h.Stream, code: refusal.Code, reason: refusal.Reason}); err != nil || leaving {
			return err
		}
		return s.countAborted()
	}
	st := s.enter(s.spares.takePeer(), h.Stream)
	s.accepted++
	s.inUse++
	s.mu.Unlock()

	st.header = header // until it is handed over
	if h.Flags&frame.FlagEnd != 0 {
		if err := st.takeEnd(nil); err != nil {
			return err
		}
	}
	in.streams = append(in.streams, st)
	return nil
}

// refusal returns why a new stream of the peer is not taken; mu is held.
//
// The peer counts a stream until it has ended on the wire. What has ended there
// and is still in use here, as when it opens and resets at once, may be as much
// again.
func (s *Session) refusal(headerLen int) *ResetError {
	switch {
	case s.err != nil || s.leaving.final:
		return &ResetError{Code: ResetRefused, Reason: "this end is going away"}
	case s.accepted >= s.cfg.MaxStreams:
		return &ResetError{Code: ResetRefused, Reason: fmt.Sprintf("more than %d streams at once", s.cfg.MaxStreams)}
	case s.inUse >= 2*s.cfg.MaxStreams:
		return &ResetError{Code: ResetRefused, Reason: "too many streams were abandoned that are still at work"}
	case headerLen > s.cfg.MaxHeader:
		return &ResetError{Code: ResetLimit, Reason: fmt.Sprintf("header over the limit of %d bytes", s.cfg.MaxHeader)}
	}
	return nil
}

// takeStreamFrame takes a frame in that belongs to an existing stream.
func (s *Session) takeStreamFrame(h frame.Header, p []byte) error {
	st, err := s.lookup(h.Stream)
	if err != nil {
		return err
	}
	if st == nil {
		return checkForm(h.Type, p)
	}
	switch h.Type {
	case frame.TypeData:
		if s.live.Load() <= 1 {
			s.turn.Store(true)
		}
		err = st.deliver(h.Flags, p)
	case frame.TypeHeader:
		if err = s.checkHeader(p); err == nil {
			err = st.takeHeader(p)
		}
	case frame.TypeEnd:
		if err = s.checkHeader(p); err == nil {
			err = st.takeEnd(p)
		}
	case frame.TypeWindow:
		return st.takeWindow(p)
	case frame.TypeReset:
		return st.takeReset(p)
	}
	if err == nil {
		return nil
	}
	return st.breach(err)
}

// breach abandons a stream of which the peer has broken the rules; other errors
// are returned.
func (st *Stream) breach(err error) error {
	var broken *ResetError
	if errors.As(err, &broken) {
		st.abort(broken, tellPeer)
		return nil
	}
	return err
}

// lookup returns the stream of an id, or nil if it has ended.
func (s *Session) lookup(id uint64) (*Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[id]; st != nil {
		return st, nil
	}
	if own := id%2 == s.nextID%2; own && id >= s.nextID || !own && id > s.lastPeer {
		return nil, fmt.Errorf("stream %d was never opened", id)
	}
	return nil, nil
}

// checkForm tells what is wrong with the payload of a frame whose stream has
// ended: it is dropped, but malformed is malformed.
func checkForm(t frame.Type, p []byte) (err error) {
	switch t {
	case frame.TypeWindow:
		_, err = frame.ParseWindow(p)
	case frame.TypeReset:
		_, _, err = frame.ParseReset(p)
	}
	return err
}

func (s *Session) checkHeader(p []byte) error {
	if len(p) > s.cfg.MaxHeader {
		return &ResetError{Code: ResetLimit, Reason: fmt.Sprintf("header or trailer over the limit of %d bytes", s.cfg.MaxHeader)}
	}
	return nil
}

func (st *Stream) takeWindow(p []byte) error {
	limit, err := frame.ParseWindow(p)
	if err != nil {
		return err
	}
	st.send.raise(limit)
	return nil
}

func (st *Stream) takeReset(p []byte) error {
	code, reason, err := frame.ParseReset(p)
	if err != nil {
		return err
	}
	premature := !st.opener && !st.send.over()
	st.abort(&ResetError{Code: ResetCode(code).assigned(), Reason: reason, Remote: true}, peerKnows)
	if premature {
		return st.s.countAborted()
	}
	return nil
}

func (s *Session) takeAck(p []byte) error {
	n, err := frame.ParseAck(p)
	if err == nil && !s.out.ack(n) {
		err = fmt.Errorf("%d frames acknowledged, which cannot be", n)
	}
	return err
}
