package ws

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// awaiter is what AwaitMessage needs beside the inbound.
type awaiter struct {
	// Of the goroutine that reads: how many messages NextReader has returned, and
	// of how many the end was read; how many control frames gorilla has handled.
	started, finished, controls uint64

	mu          sync.Mutex
	waiting     bool // in AwaitMessage, for the socket
	interrupted bool // the wait, or the next one, is to end
	limited     bool // the socket has a read deadline because of that or of a deadline
}

// CanAwait implements transport.AwaitableLink. Only a TCP socket can wait so
// that the wait can be interrupted, and what gorilla has read is known: it is
// all that was returned by inbound.read, and the frames of that are followed.
func (c *Conn) CanAwait() bool {
	d := c.in.detector
	return d != nil && c.readErr == nil && !c.in.closed.Load() &&
		c.readAll() && d.messages == c.await.started && c.in.readable.quiet()
}

// readAll reports whether gorilla holds at most whole messages.
func (c *Conn) readAll() bool {
	d, w := c.in.detector, &c.await
	return w.started == w.finished && d.controls == w.controls && d.betweenFrames() && len(c.in.held) == 0
}

// AwaitMessage implements transport.AwaitableLink.
func (c *Conn) AwaitMessage(deadline time.Time) bool {
	d, w := c.in.detector, &c.await
	switch {
	case d == nil, c.readErr != nil:
		return false
	case d.messages != w.started:
		return w.started == w.finished // gorilla holds all of it
	case !c.readAll():
		return false
	case c.in.readable.holdsMessage():
		return true
	case !c.CanAwait():
		return false
	}
	return w.wait(&c.in, deadline) && c.in.readable.holdsMessage()
}

// wait waits until the socket is readable, and reports whether what is there was
// read ahead. Close drains the socket only when the wait is over: both use its
// read deadline.
func (w *awaiter) wait(in *inbound, deadline time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !w.begin(in, deadline) {
		return false
	}
	defer w.end(in)
	return !in.closed.Load() && in.fetchAhead()
}

// begin prepares to wait for the socket, unless that is interrupted.
func (w *awaiter) begin(in *inbound, deadline time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interrupted {
		w.interrupted = false
		return false
	}
	w.waiting = true
	if !deadline.IsZero() {
		w.limit(in, deadline)
	}
	return true
}

// end removes the deadline, which is for the wait only: gorilla's errors last.
func (w *awaiter) end(in *inbound) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.interrupted = false, false
	if w.limited {
		w.limited = false
		in.clearDeadline()
	}
}

// limit gives the socket a read deadline; mu is held.
func (w *awaiter) limit(in *inbound, t time.Time) {
	w.limited = true
	_ = in.conn.SetReadDeadline(t)
}

// Interrupt implements transport.AwaitableLink.
func (c *Conn) Interrupt() {
	w := &c.await
	w.mu.Lock()
	defer w.mu.Unlock()
	w.interrupted = true
	if w.waiting {
		w.limit(&c.in, time.Unix(1, 0))
	}
}

// isMessage reports whether b begins with a whole message in one frame (RFC
// 6455, section 5.2).
func isMessage(b []byte) bool {
	if len(b) < 2 || b[0] != 0x80|websocket.BinaryMessage {
		return false
	}
	head, size := 2, int(b[1]&0x7f)
	if size == 126 && len(b) >= 4 {
		head, size = 4, int(binary.BigEndian.Uint16(b[2:]))
	}
	if b[1]&0x80 != 0 {
		head += 4
	}
	return b[1]&0x7f != 127 && len(b) >= head+size
}
