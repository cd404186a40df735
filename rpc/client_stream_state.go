package rpc

import "sync"

// streamState is the part of a clientStream that its goroutines share: the
// attempt that counts, what has been sent, and the status.
type streamState struct {
	mu       sync.Mutex
	current  *attempt    // the attempt that counts; nil until the call is opened
	sentOnly bool        // the only message of a call that takes one was sent
	buffer   retryBuffer // what another attempt would send again
	finished bool
	status   error // of a finished call; nil is OK

	release   func() // stops what bounds the call in time; nil: nothing does yet
	interrupt func() // stops the making of another attempt; nil: none is being made
}

// active returns the current attempt, or the error if the call is over or not
// yet opened.
func (st *streamState) active(op string) (*attempt, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.finished:
		return nil, st.ended()
	case st.current == nil:
		return nil, Errorf(CodeFailedPrecondition, "%s before the call is opened: the interceptor must call next first", op)
	}
	return st.current, nil
}

// ended returns the status of a finished call, and ErrFinished for OK. mu is
// held.
func (st *streamState) ended() error {
	if st.status == nil {
		return ErrFinished
	}
	return st.status
}

// attempt returns the attempt that counts, or nil.
func (st *streamState) attempt() *attempt {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.current
}

func (st *streamState) isCurrent(a *attempt) bool { return st.attempt() == a }

// result returns the status of a call that is finished.
func (st *streamState) result() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.status
}

func (st *streamState) isFinished() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.finished
}

// opened makes a the attempt that counts. sendsOnly reports whether the only
// message is about to be sent on it.
func (st *streamState) opened(a *attempt, sendsOnly bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.current, st.sentOnly = a, sendsOnly
}

// openedWith is opened, buffered and releaseMessage in one, for the only
// message, which was sent with a.
func (st *streamState) openedWith(a *attempt, only *message) {
	st.mu.Lock()
	st.current, st.sentOnly = a, true
	st.buffer.add(only)
	st.buffer.trim()
	st.mu.Unlock()
	if !only.buffered {
		only.put()
	}
}

// adopt makes a the attempt that counts, unless the call is finished.
func (st *streamState) adopt(a *attempt) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.finished {
		st.current = a
	}
}

// setRelease registers what the end of the call has to release. It reports
// false if the call has ended already: then the caller releases it.
func (st *streamState) setRelease(release func()) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.release = release
	return !st.finished
}

// claimOnly claims the only message of a call. It reports false if the message
// was claimed before.
func (st *streamState) claimOnly() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	first := !st.sentOnly
	st.sentOnly = true
	return first
}

// buffered buffers a message for another attempt and returns the attempt on
// which to send it. releaseMessage must follow.
func (st *streamState) buffered(m *message) *attempt {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.buffer.readers++
	st.buffer.add(m)
	return st.current
}

// releaseMessage ends the use of a message. err is the result of sending it.
func (st *streamState) releaseMessage(m *message, err error) {
	st.mu.Lock()
	st.buffer.readers--
	if err == nil {
		st.buffer.trim()
	}
	st.mu.Unlock()
	if !m.buffered {
		m.put()
	}
}

// bufferEnd is buffered for the end of the messages.
func (st *streamState) bufferEnd() *attempt {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.buffer.ended = true
	return st.current
}

// commit rules out another attempt: the response has begun.
func (st *streamState) commit() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.buffer.discard()
}

// startRetry reports whether another attempt than a counts already, and whether
// one may be made. The end of the call calls interrupt until endRetry.
func (st *streamState) startRetry(a *attempt, interrupt func()) (other, ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.finished {
		return false, false
	}
	if st.current != nil && st.current != a {
		return true, false
	}
	st.interrupt = interrupt
	return false, st.buffer.enabled
}

func (st *streamState) endRetry() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.interrupt = nil
}

// overRetryBuffer reports whether the buffer holds more than it may for a call
// that the server may have processed.
func (st *streamState) overRetryBuffer() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.buffer.size > maxRetryBuffer
}

// nextBuffered returns message n of those that were sent; it must be released
// by releaseBuffered. After the last one, a becomes the attempt that counts,
// and ended reports whether the end of the messages was sent too.
func (st *streamState) nextBuffered(a *attempt, n int) (m *message, ended bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.finished:
		return nil, false, st.ended()
	case !st.buffer.enabled:
		return nil, false, Errorf(CodeUnavailable, "more was sent than the retry buffer keeps")
	case n < len(st.buffer.messages):
		st.buffer.readers++
		m := st.buffer.messages[n]
		return &m, false, nil
	}
	st.current = a
	st.buffer.trim()
	return nil, st.buffer.ended, nil
}

func (st *streamState) releaseBuffered() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.buffer.readers--
}
