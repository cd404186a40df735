package transport

import "github.com/parley-rpc/parley/internal/frame"

// Served is a stream that the peer has opened together with its only message,
// before the memory of a Stream is needed for it. It is to the accepting end
// what an Exchange is to the opening one: at anything but one small message in
// response, and a trailer, the session makes the Stream.
type Served struct {
	s    *Session
	id   uint64
	size int // bytes of the peer's message
	req  Request

	// Guarded by the session's mu.
	over bool    // the response was sent
	st   *Stream // nil: it is not made
}

// Request is what an application keeps of a stream that is served.
type Request interface {
	// Served returns the memory for the stream, which has the zero value.
	Served() *Served
	// Start is OnStream: it handles the header and the only message of the
	// peer, which are valid until it returns.
	Start(header, msg []byte, mark bool) *ResetError
	// Abort is called once if the stream is abandoned, as the function of
	// Stream.OnAbort is. It may be called before Start.
	Abort(cause error)
}

// Respond sends the only message of the response, and the trailer if it is not
// empty. The stream ends with them. If it reports false, the Stream must send
// them, or says why that cannot be.
func (sv *Served) Respond(msg []byte, mark bool, trailer []byte) bool {
	s := sv.s
	if len(msg)+len(trailer) > maxExchanged || !fitsFirst(len(msg), s.settings()) {
		return false // every peer accepts a trailer of maxExchanged bytes
	}
	var buf [2]outgoing
	frames := buf[:1]
	frames[0].Header = frame.Header{Type: frame.TypeData, Stream: sv.id, Flags: dataFlags(SendOptions{Mark: mark, End: len(trailer) == 0}, false)}
	frames[0].payload = msg
	if len(trailer) > 0 {
		frames = append(frames, outgoing{Header: frame.Header{Type: frame.TypeEnd, Stream: sv.id}, payload: trailer})
	}
	inline, ok := sv.put(frames)
	if !ok {
		return false
	}
	s.updateDetached()
	if inline != nil {
		inline.writeInline(s)
	}
	return true
}

// put queues the response and ends the stream, with the session's mu held: the
// peer cannot know of the end before this end does. If there is no room, it
// reports false. If a is non-nil, writeInline must follow.
func (sv *Served) put(frames []outgoing) (a *attachment, ok bool) {
	s := sv.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if sv.over || sv.st != nil {
		return nil, false
	}
	var t turn
	p, err := s.out.put(s.writeMode(), &t, frames...)
	if p.wait != nil {
		s.out.giveUp(p.wait)
	}
	if err != nil || p.wait != nil {
		return nil, false
	}
	sv.over = true
	s.streams.endServed(sv)
	return p.inline, true
}

// Stream returns the Stream, and makes it if it is not made. After the response
// it is a stream that was closed.
func (sv *Served) Stream() *Stream {
	sv.s.mu.Lock()
	defer sv.s.mu.Unlock()
	return sv.s.makeServedStream(sv)
}

// makeServedStream returns the Stream of a served one; mu is held. It may run on
// any goroutine, so the Stream is not one of the pool.
func (s *Session) makeServedStream(sv *Served) *Stream {
	if sv.st != nil {
		return sv.st
	}
	st := s.initStream(new(Stream), sv.id)
	cost := uint64(sv.size) + frameCost
	st.recv.window.received, st.recv.window.consumed = cost, cost
	st.recv.end(nil)
	sv.st = st
	if sv.over {
		st.open.Store(0)
		st.send.begun, st.send.ended = true, true
		st.removed, st.closed = true, true
		st.recv.release(s)
		return st
	}
	st.open.Store(1)
	st.onAbort = sv.req.Abort
	s.streams.replaceServed(sv)
	return st
}

// addServed adds a stream that the peer has opened with its only message; mu is
// held.
func (s *Session) addServed(sv *Served) {
	if old := s.streams.served.occupant(sv.id); old != nil {
		s.makeServedStream(old)
	}
	s.streams.insertServed(sv)
}
