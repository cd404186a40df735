package pipe

// Cut breaks the link: both ends find it lost at once, and what was on the way
// is lost.
func (e *End) Cut() {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.lose()
	e.peer.lose()
}

// CutAfterBytes breaks the link when this end has written n more bytes: the peer
// reads exactly those, then finds the link lost; this end finds it lost at once.
// If that point is inside a message, WriteMessage returns ErrLost and the peer
// gets a reader that fails after the bytes before it. Otherwise the last
// WriteMessage returns nil. Zero is now, with what is on the way to the peer
// still arriving.
func (e *End) CutAfterBytes(n int64) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.cutBytes = max(n, 0)
	e.cutIfDue()
}

// CutAfterMessages is CutAfterBytes for whole messages.
func (e *End) CutAfterMessages(n int) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.cutMessages = max(n, 0)
	e.cutIfDue()
}

func (e *End) cutIfDue() {
	if e.ended == nil && (e.cutBytes == 0 || e.cutMessages == 0) {
		e.put(parcel{end: ErrLost})
		e.lose()
	}
}

// lose makes this end find the link lost. The caller holds wire.mu.
func (e *End) lose() {
	if e.ended == nil {
		e.finish(ErrLost)
	}
	e.wire.notify()
}

// Drop makes everything that this end writes from now on vanish, its close
// included, as behind a router that forgot the connection: WriteMessage succeeds
// at once and nobody is told. Drop both ends for a network that is gone.
func (e *End) Drop() {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.dropped = true
	w.notify()
}

// Stall keeps NextReader of this end from returning messages until Resume, as if
// its process had stopped: the peer's writes block when the capacity is used up.
func (e *End) Stall() {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.stalled = true
}

// Resume ends Stall.
func (e *End) Resume() {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.stalled = false
	w.notify()
}

// Fail makes NextReader of this end return err behind the messages that are on
// the way, for the faults that a pipe has no way to commit, such as a text
// message: &transport.CloseError{Code: transport.CloseUnsupportedData}.
func (e *End) Fail(err error) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.ended == nil {
		e.receive(parcel{end: err})
	}
}

// Sent tells how much this end has written: the bytes count up to a cut, the
// messages only when they are whole. A test that cuts at every byte runs once
// without a cut to learn how many there are.
func (e *End) Sent() (messages int, bytes int64) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	return e.sentMessages, e.sentBytes
}
