package pipe

// Cut breaks the link: it is lost for both ends at once, with what was on the
// way.
func (e *End) Cut() {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.lose()
	e.peer.lose()
}

// CutAfterBytes breaks the link when this end has written n more bytes. The
// peer reads exactly those, and then its link is lost; for this end it is lost
// at once. If that point is inside a message, WriteMessage returns ErrLost, and
// the peer gets a reader that fails after the bytes before it. Otherwise the
// last WriteMessage returns nil. Zero means now: what is on the way to the peer
// still arrives.
func (e *End) CutAfterBytes(n int64) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.cutBytes = max(n, 0)
	e.cutIfDue()
}

// CutAfterMessages is like CutAfterBytes, for whole messages.
func (e *End) CutAfterMessages(n int) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.cutMessages = max(n, 0)
	e.cutIfDue()
}

func (e *End) cutIfDue() {
	if e.ended == nil && (e.cutBytes == 0 || e.cutMessages == 0) {
		e.put(packet{end: ErrLost})
		e.lose()
	}
}

// lose makes the link lost for this end. The caller holds wire.mu.
func (e *End) lose() {
	if e.ended == nil {
		e.finish(ErrLost)
	}
	e.wire.notify()
}

// Drop drops everything that this end writes from now on, its close included,
// like a router that has forgotten the connection. WriteMessage succeeds at
// once, and neither end gets an error. Drop both ends for a network that is
// lost.
func (e *End) Drop() {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	e.dropped = true
	w.notify()
}

// Stall stops NextReader of this end from returning messages until Resume, as
// if its process had stopped. The peer's writes block when the capacity is used
// up.
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

// Fail makes NextReader of this end return err after the messages that are on
// the way. It is for faults that a pipe cannot produce, such as a text message:
// &transport.CloseError{Code: transport.CloseUnsupportedData}.
func (e *End) Fail(err error) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.ended == nil {
		e.receive(packet{end: err})
	}
}

// Sent returns how much this end has written: bytes up to a cut, and whole
// messages. A test that cuts at every byte first runs without a cut to learn
// how many bytes there are.
func (e *End) Sent() (messages int, bytes int64) {
	w := e.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	return e.sentMessages, e.sentBytes
}
