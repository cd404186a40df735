package transport

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/parley-rpc/parley/internal/frame"
)

// Stream is one exchange of messages between the end that opened it and the end
// that accepted it: two independent directions, each ended by its sender.
//
// One goroutine may send while another receives. Close must be called when the
// application is done with a stream, however it ended.
type Stream struct {
	s      *Session
	id     uint64
	opener bool   // this end opened the stream
	header []byte // of the OPEN frame, at the end that accepted it
	opened uint64 // the position of OPEN in the outbox, at the other

	send sendHalf
	recv recvHalf

	open atomic.Int32 // directions that have not ended; the last to end forgets the stream

	mu      sync.Mutex
	cause   error             // why the stream was abandoned
	onAbort func(cause error) // called once, when cause is set
	unsent  bool              // the session has ended before OPEN was sent
	closed  bool              // Close was called

	// Guarded by the session's mu.
	freed       bool // Free was called
	removed     bool // from the table of streams
	endedByPeer bool // because of the last frame of the peer
}

// ID returns the stream's id: odd if the dialer opened it, even otherwise.
func (st *Stream) ID() uint64 { return st.id }

// Session returns the session that the stream belongs to.
func (st *Stream) Session() *Session { return st.s }

// OpenHeader returns, at the end that accepted the stream, the header that it was
// opened with. It is nil for those that OnStream was given.
func (st *Stream) OpenHeader() []byte { return st.header }

// Reset abandons both directions: what the peer has not read may never arrive.
// Its pending and later calls return a *ResetError with code and reason, ours
// one that is not Remote. A stream that has ended already stays as it is.
func (st *Stream) Reset(code ResetCode, reason string) {
	st.abort(&ResetError{Code: code.assigned(), Reason: reason}, tellPeer)
}

// Close ends the use of the stream at this end and frees what it holds. A stream
// that has not ended in both directions is reset with ResetCancel. What was sent
// still arrives if this end has ended its direction before; otherwise it may not.
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
		st.abort(ErrStreamClosed, tellPeer)
	}
	st.recv.release(st.s)
	return true
}

// OnAbort has f called once if the stream is abandoned before both directions
// have ended: by a reset of either end, or with the session. It is called at once
// if that has happened. f must not block; it may run on the reading goroutine.
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

// isReset tells whether the peer has reset the stream before both directions ended.
func (st *Stream) isReset() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.cause == nil {
		return false
	}
	var r *ResetError
	return errors.As(st.cause, &r) && r.Remote
}

// notice tells whether the peer has to hear of an abort.
type notice int

const (
	tellPeer notice = iota
	peerKnows
)

// abort ends what has not ended of both directions, with cause.
func (st *Stream) abort(cause error, n notice) {
	st.noteUnsent(cause)
	// Sending first: whoever learns from receiving must not get a word out any more.
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
		st.ended(ended)
	}
	if n == tellPeer {
		code, reason := ResetCancel, ""
		if r := (*ResetError)(nil); errors.As(cause, &r) {
			code, reason = r.Code, r.Reason
		}
		st.sayReset(code, reason)
	}
	if st.opener {
		st.ended(ended)
	}
	if f != nil {
		f(cause)
	}
}

// sayReset tells the peer that the stream is abandoned.
func (st *Stream) sayReset(code ResetCode, reason string) {
	r := resetFrame{stream: st.id, local: st.opener, after: st.send.position(), code: code, reason: reason}
	st.s.queued(st.s.out.putReset(r))
}

// ended books that so many directions have ended.
func (st *Stream) ended(n int32) {
	if n > 0 && st.open.Add(-n) == 0 {
		st.s.removeStream(st, false)
	}
}

// peerEnded books that the peer has ended its direction. It is the last that the
// reading goroutine does with the stream, if nothing more is to come.
func (st *Stream) peerEnded() {
	if st.open.Add(-1) == 0 {
		st.s.removeStream(st, true)
	}
}

// queueFrame queues a frame, waiting for room until ctx ends or the direction fails.
func (st *Stream) queueFrame(ctx context.Context, h frame.Header, payload []byte) (pos uint64, err error) {
	f := outgoing{Header: h, payload: payload}
	mode := viaWriter
	if f.completes() {
		mode = st.s.writeMode()
	}
	p, err := st.s.out.put(mode, f)
	if err == nil && p.wait != nil {
		if err := st.send.await(ctx, p.wait.ready); err != nil {
			st.s.out.giveUp(p.wait)
			return 0, err
		}
		p.pos, err = st.s.out.putGranted(p.wait, f)
	}
	if err != nil {
		return 0, st.s.failure(err)
	}
	st.s.updateDetached()
	if p.inline != nil {
		p.inline.writeInline(st.s)
	}
	return p.pos, nil
}
