package transport

import (
	"bytes"

	"github.com/parley-rpc/parley/internal/frame"
)

// arrivingMessage checks the pieces of the message that is arriving. The half's
// mu guards it.
type arrivingMessage struct {
	size    int  // bytes so far
	mark    bool // of its first piece
	partial bool // more pieces follow
	longest int  // bytes of the longest message of several pieces, up to now
}

// add checks a piece of n bytes. The error says which rule the peer has broken.
func (m *arrivingMessage) add(flags frame.Flags, n, maxMessage int) *ResetError {
	mark := flags&frame.FlagMark != 0
	if m.partial && mark != m.mark {
		return &ResetError{Code: ResetProtocol, Reason: "MARK changes within a message"}
	}
	if !m.partial {
		m.size, m.mark = 0, mark
	}
	if m.size += n; m.size > maxMessage {
		return messageLimit(maxMessage)
	}
	if m.partial = flags&frame.FlagMore != 0; m.partial || m.size > n {
		m.longest = max(m.longest, m.size)
	}
	return nil
}

// handleData handles DATA frames that have arrived one after the other. A
// *ResetError says how the peer broke the rules of the stream.
func (st *Stream) handleData(frames []heldData) (err error) {
	r := &st.recv
	var limit uint64
	wake := false
	r.mu.Lock()
	if r.err != nil {
		r.mu.Unlock()
		return nil
	}
	end := false
	for i := range frames {
		f := &frames[i]
		if err = r.accept(f.Flags, f.payload, st.s.cfg.MaxMessage); err != nil {
			break
		}
		complete, more := r.add(st.s, f.Flags, f.payload)
		wake, limit = wake || complete, max(limit, more)
		if end = f.Flags&frame.FlagEnd != 0; end {
			r.end(nil)
		}
	}
	if wake && !end {
		r.wake()
	}
	r.mu.Unlock()
	if end {
		st.peerEnded()
	} else {
		st.announce(limit)
	}
	return err
}

// add adds a piece to the message that a Recv waits for, or to the inbox. It
// reports whether the message is complete, and returns the limit to announce,
// or 0.
func (r *recvHalf) add(s *Session, flags frame.Flags, piece []byte) (complete bool, limit uint64) {
	if r.msg.direct && !r.msg.complete && r.reserveRoom(s, flags, len(piece)) {
		r.msg.bytes = append(r.msg.bytes, piece...)
		r.msg.mark, r.msg.complete = r.arriving.mark, !r.arriving.partial
		complete = r.msg.complete
		limit = r.consume(s, uint64(len(piece))+frameCost)
	} else {
		r.msg.direct = r.msg.direct && r.msg.complete // later pieces must not overtake this one
		r.inbox.put(flags, piece)
	}
	if flags&frame.FlagMore != 0 && len(piece) >= smallPiece && r.window.grown == 0 { // much is to come
		limit = max(limit, r.widen(s))
	}
	return complete, limit
}

// accept checks a DATA frame against the rules and counts it.
func (r *recvHalf) accept(flags frame.Flags, piece []byte, maxMessage int) error {
	switch {
	case r.ended:
		return &ResetError{Code: ResetProtocol, Reason: "DATA after END"}
	case !r.window.receive(uint64(len(piece)) + frameCost):
		return &ResetError{Code: ResetProtocol, Reason: "DATA exceeds the window"}
	}
	if !r.arriving.partial {
		r.header.settle(nil)
	}
	if err := r.arriving.add(flags, len(piece), maxMessage); err != nil {
		return err
	}
	return nil
}

// handleEnd handles an END frame.
func (st *Stream) handleEnd(trailer []byte) error {
	r := &st.recv
	r.mu.Lock()
	switch {
	case r.err != nil:
		r.mu.Unlock()
		return nil
	case r.ended || r.arriving.partial:
		r.mu.Unlock()
		return &ResetError{Code: ResetProtocol, Reason: "END after END or within a message"}
	}
	r.end(bytes.Clone(trailer))
	r.mu.Unlock()
	st.peerEnded()
	return nil
}

// handleHeader handles a HEADER frame.
func (st *Stream) handleHeader(header []byte) error {
	r := &st.recv
	r.mu.Lock()
	switch {
	case r.err != nil:
		r.mu.Unlock()
		return nil
	case !st.opener:
		r.mu.Unlock()
		return &ResetError{Code: ResetProtocol, Reason: "HEADER from the end that opened the stream"}
	case r.header.settled:
		r.mu.Unlock()
		return &ResetError{Code: ResetProtocol, Reason: "HEADER twice or after DATA or END"}
	}
	r.header.settle(append(make([]byte, 0, len(header)), header...))
	check := r.header.check
	r.mu.Unlock()
	st.checkHeader(check, header)
	return nil
}
