package transport

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Stream is an exchange of messages between the end that opened it and the end
// that accepted it. It has two independent directions, each ended by its
// sender.
//
// One goroutine may send while another receives. The application must call
// Close when it no longer uses a stream, however the stream ended.
type Stream struct {
	s      *Session
	id     uint64
	opener bool     // this end opened the stream
	header []byte   // of the OPEN frame, at the end that accepted it
	opened position // the position of OPEN in the outbox, at the end that opened it

	send sendHalf
	recv recvHalf

	open atomic.Int32 // directions that have not ended; the last to end removes the stream

	mu      sync.Mutex
	cause   error             // why the stream was abandoned
	onAbort func(cause error) // called once, when cause is set
	unsent  bool              // the session has ended before OPEN was sent
	closed  bool              // Close was called

	// Guarded by the session's mu.
	freed       bool // Free was called
	removed     bool // from the table of streams
	endedByPeer bool // by the last frame of the peer
}

// ID returns the stream's id: odd if the dialer opened it, even otherwise.
func (st *Stream) ID() uint64 { return st.id }

// Session returns the session that the stream belongs to.
func (st *Stream) Session() *Session { return st.s }

// OpenHeader returns, at the end that accepted the stream, the header that it
// was opened with. It is nil for a stream that was passed to OnStream.
func (st *Stream) OpenHeader() []byte { return st.header }

// Reset abandons both directions: what the peer has not read may never arrive.
// Its pending and later calls return a *ResetError with code and reason; so do
// those of this end, with one that is not Remote. A stream that has ended stays
// as it is.
func (st *Stream) Reset(code ResetCode, reason string) {
	st.abort(&ResetError{Code: code.assigned(), Reason: reason}, notifyPeer)
}

// Close ends the use of the stream at this end and frees what it holds. A
// stream that has not ended in both directions is reset with ResetCancel. What
// was sent still arrives if this end has ended its direction before; otherwise
// it may not.
func (st *Stream) Close() error {
	if st.markClosed() && !st.opener {
		st.s.mu.Lock()
		defer st.s.mu.Unlock()
		st.s.streams.close(st)
	}
	return nil
}

// markClosed is the first half of Close. It reports whether the stream was not
// closed before.
func (st *Stream) markClosed() bool {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return false
	}
	st.closed = true
	st.onAbort = nil
	st.mu.Unlock()

	if st.open.Load() > 0 {
		st.abort(ErrStreamClosed, notifyPeer)
	}
	st.recv.release(st.s)
	return true
}

// OnAbort registers f, which is called once if the stream is abandoned before
// both directions have ended: by a reset of either end, or with the session. If
// that has happened, OnAbort calls f at once. f must not block; it may run on
// the reader goroutine.
func (st *Stream) OnAbort(f func(cause error)) {
	st.mu.Lock()
	cause := st.cause
	if cause == nil {
		st.onAbort = f
	}
	st.mu.Unlock()
	if cause != nil {
		f(cause)
	}
}

// isReset reports whether the peer has reset the stream before both directions
// ended.
func (st *Stream) isReset() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.cause == nil {
		return false
	}
	var r *ResetError
	return errors.As(st.cause, &r) && r.Remote
}

// abortMode says whether abort sends a RESET.
type abortMode int

const (
	notifyPeer abortMode = iota
	peerKnows
)

// abort ends, with cause, each direction that has not ended.
func (st *Stream) abort(cause error, mode abortMode) {
	st.noteUnsent(cause)
	// Sending first: who learns of the end by a Recv must not be able to send.
	ended := st.send.fail(cause) + st.recv.fail(st.s, cause)
	if ended == 0 {
		return
	}
	st.mu.Lock()
	if st.cause == nil {
		st.cause = cause
	}
	f := st.onAbort
	st.onAbort = nil
	st.mu.Unlock()

	if !st.opener { // for the order see queueLast
		st.halvesEnded(ended)
	}
	if mode == notifyPeer {
		code, reason := ResetCancel, ""
		if r := (*ResetError)(nil); errors.As(cause, &r) {
			code, reason = r.Code, r.Reason
		}
		st.sendReset(code, reason)
	}
	if st.opener {
		st.halvesEnded(ended)
	}
	if f != nil {
		f(cause)
	}
}

// sendReset tells the peer that the stream is abandoned.
func (st *Stream) sendReset(code ResetCode, reason string) {
	r := resetFrame{stream: st.id, local: st.opener, after: st.send.position(), code: code, reason: reason}
	st.s.queued(st.s.out.putReset(r))
}

// halvesEnded counts n directions that have ended.
func (st *Stream) halvesEnded(n int32) {
	if n > 0 && st.open.Add(-n) == 0 {
		st.s.removeStream(st, false)
	}
}

// peerEnded counts the direction that the peer has ended. If the other has
// ended as well, it is the last that the reader goroutine does with the stream.
func (st *Stream) peerEnded() {
	if st.open.Add(-1) == 0 {
		st.s.removeStream(st, true)
	}
}
