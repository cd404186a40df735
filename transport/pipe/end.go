package pipe

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/parley-rpc/parley/transport"
)

var (
	// ErrLost is returned by both ends of a link that was cut.
	ErrLost = errors.New("pipe: link lost")

	// ErrClosed is returned by an end after its own Close. It is a
	// net.ErrClosed.
	ErrClosed = fmt.Errorf("pipe: %w", net.ErrClosed)
)

const never = -1

// End is one end of a link in memory. It implements transport.Link.
type End struct {
	wire *wire
	peer *End

	// Guarded by wire.mu.
	queue   []packet // what the peer sent and this end has not read
	pending int      // how much of the capacity queue uses
	ended   error    // what calls return once this end has ended
	stalled bool
	dropped bool
	reading bool
	writing bool
	last    *reader // the last result of NextReader

	interrupted bool // AwaitMessage is to return

	sentMessages int
	sentBytes    int64
	cutMessages  int   // messages until the cut, or never
	cutBytes     int64 // bytes until the cut, or never
}

var _ transport.AwaitableLink = (*End)(nil)

// NextReader waits for the next message, as transport.Link says. Its error is a
// *transport.CloseError, ErrLost, ErrClosed, or the one passed to Fail.
func (e *End) NextReader() (io.Reader, error) {
	w := e.wire
	w.mu.Lock()
	if e.reading {
		w.mu.Unlock()
		panic("pipe: NextReader called by two goroutines")
	}
	e.reading = true
	if e.last != nil {
		e.last.data, e.last.end = nil, errStale
		e.last = nil
	}
	for {
		r, wait, err := e.take()
		if r != nil || err != nil {
			e.reading = false
			w.mu.Unlock()
			if err != nil {
				return nil, err
			}
			return r, nil
		}
		changed := w.changed
		w.mu.Unlock()
		sleep(changed, wait)
		w.mu.Lock()
	}
}

// sleep waits for a change, or for the duration if it is positive.
func sleep(changed <-chan struct{}, wait time.Duration) {
	if wait <= 0 {
		<-changed
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// take returns the message that is due or the error that ends the link. If
// there is neither, it returns how long to wait, or 0 to wait for a change. The
// caller holds wire.mu.
func (e *End) take() (*reader, time.Duration, error) {
	if e.ended != nil {
		return nil, 0, e.ended
	}
	if e.stalled || len(e.queue) == 0 {
		return nil, 0, nil
	}
	p := e.queue[0]
	if wait := time.Until(p.at); wait > 0 {
		return nil, wait, nil
	}
	e.queue = e.queue[1:]
	e.pending -= p.cost()
	if p.end != nil {
		e.finish(p.end)
	}
	e.wire.notify()
	if p.isEnd() {
		return nil, 0, e.ended
	}
	if limit := e.wire.cfg.ReadLimit; limit > 0 && len(p.data) > limit {
		e.finish(&transport.CloseError{
			Code:   transport.CloseMessageTooBig,
			Reason: fmt.Sprintf("message exceeds the limit of %d bytes", limit),
		})
		return nil, 0, e.ended
	}
	e.last = &reader{data: p.data, end: p.end}
	return e.last, 0, nil
}

// finish makes this end return err from now on and drops what was on the way to
// it. The caller holds wire.mu.
func (e *End) finish(err error) {
	e.ended = err
	e.queue, e.pending = nil, 0
}

// WriteMessage sends one message. It blocks while too much is on the way. It
// returns nil also for a message that is lost unnoticed: after Drop, and to a
// peer that has closed or lost the link when this end does not know that yet.
func (e *End) WriteMessage(parts [][]byte) error {
	data := make([]byte, 0, size(parts))
	for _, part := range parts {
		data = append(data, part...)
	}

	w := e.wire
	w.mu.Lock()
	if e.writing {
		w.mu.Unlock()
		panic("pipe: WriteMessage called by two goroutines")
	}
	e.writing = true
	defer w.mu.Unlock()
	defer func() { e.writing = false }()

	for e.mustWait(len(data)) {
		changed := w.changed
		w.mu.Unlock()
		<-changed
		w.mu.Lock()
	}
	if e.ended != nil {
		return e.ended
	}
	return e.send(data)
}

func size(parts [][]byte) int {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// mustWait reports whether there is no room for a message of n bytes. The
// caller holds wire.mu.
func (e *End) mustWait(n int) bool {
	if e.ended != nil || e.isUnread() || e.peer.pending == 0 {
		return false
	}
	return e.peer.pending+max(n, 1) > e.wire.cfg.Capacity
}

// isUnread reports whether what this end sends is never read. The caller holds
// wire.mu.
func (e *End) isUnread() bool { return e.dropped || e.peer.ended != nil }

// send sends a message, or as much of it as precedes a cut. The caller holds
// wire.mu.
func (e *End) send(data []byte) error {
	whole := len(data)
	if e.cutBytes != never && int64(whole) > e.cutBytes {
		data = data[:e.cutBytes]
	}
	e.sentBytes += int64(len(data))
	if e.cutBytes != never {
		e.cutBytes -= int64(len(data))
	}
	if len(data) < whole {
		e.put(packet{data: data, end: ErrLost})
		e.lose()
		return ErrLost
	}

	e.sentMessages++
	if e.cutMessages != never {
		e.cutMessages--
	}
	e.put(packet{data: data})
	if e.cutBytes == 0 || e.cutMessages == 0 {
		e.put(packet{end: ErrLost})
		e.lose()
	}
	return nil
}

// put sends p to the peer. The caller holds wire.mu.
func (e *End) put(p packet) {
	if e.isUnread() {
		return
	}
	e.peer.receive(p)
}

// receive queues p, due after the latency, after what is on the way to this
// end. The caller holds wire.mu.
func (e *End) receive(p packet) {
	p.at = time.Now().Add(e.wire.cfg.Latency)
	e.queue = append(e.queue, p)
	e.pending += p.cost()
	e.wire.notify()
}
