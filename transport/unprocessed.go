package transport

import "errors"

// Unprocessed reports, of a stream that this end has opened and that was abandoned,
// whether it surely never reached the peer's application, so that it can be opened
// again elsewhere: the peer has refused it (ResetRefused, or by GOAWAY), or has
// refused the session before it greeted (PROTOCOL.md, section "Refusal"), or
// the session has ended before the stream's OPEN was sent.
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
		return unsent || closed.Remote && closed.refuses() && !st.s.peer.hasGreeted()
	}
	return false
}

// abandoned returns whether OPEN was not sent, and why nothing more arrives. A
// sender may know of the session's end before the stream does.
func (st *Stream) abandoned() (unsent bool, cause error) {
	ended := st.s.Err()
	unsent = st.s.out.neverSent(st.opened, ended) // means something only before the stream knows
	st.recv.mu.Lock()
	cause = st.recv.err
	over := st.recv.ended
	st.recv.mu.Unlock()
	if cause == nil {
		cause = st.send.failure() // abort ends sending first: a sender may be here before it goes on
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

// noteUnsent is told with which cause the stream is about to be abandoned.
func (st *Stream) noteUnsent(cause error) {
	if !st.opener || !st.s.out.neverSent(st.opened, cause) {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.unsent = true
}

// refuses tells whether the code is one of those that no intermediary sends.
func (e *CloseError) refuses() bool {
	return e.Code > CloseRefusal && e.Code < CloseScripted
}
