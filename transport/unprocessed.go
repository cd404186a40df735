package transport

import "errors"

// Unprocessed reports whether an abandoned stream that this end has opened
// surely never reached the peer's application, so that it can be opened again
// elsewhere. That is so in three cases:
//
//   - The peer has refused the stream, with ResetRefused or by GOAWAY.
//   - The peer has refused the session before its HELLO (PROTOCOL.md, section
//     "Refusal").
//   - The session has ended before the stream's OPEN was sent.
func (st *Stream) Unprocessed() bool {
	if !st.opener {
		return false
	}
	unsent, cause := st.abandoned()
	var reset *ResetError
	var closed *CloseError
	switch {
	case errors.As(cause, &reset):
		return reset.Remote && reset.Code == ResetRefused
	case errors.As(cause, &closed):
		return unsent || closed.Remote && closed.refuses() && !st.s.peer.hasArrived()
	}
	return false
}

// abandoned reports whether OPEN was not sent, and returns why nothing more
// arrives. A sender may know of the session's end before the stream does.
func (st *Stream) abandoned() (unsent bool, cause error) {
	ended := st.s.Err()
	unsent = st.s.out.neverSent(st.opened, ended) // valid only until the stream knows
	st.recv.mu.Lock()
	cause = st.recv.err
	over := st.recv.ended
	st.recv.mu.Unlock()
	if cause == nil {
		cause = st.send.failure() // abort fails sending first: a sender may be here before it continues
	}
	switch {
	case over:
		return false, nil
	case cause == nil:
		return unsent, ended
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.unsent, cause
}

// noteUnsent records whether OPEN was not sent, before the stream is abandoned
// with cause.
func (st *Stream) noteUnsent(cause error) {
	if !st.opener || !st.s.out.neverSent(st.opened, cause) {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.unsent = true
}

// refuses reports whether the code is one that no proxy sends.
func (e *CloseError) refuses() bool {
	return e.Code > CloseRefusal && e.Code < CloseScripted
}
