package transport

import (
	"context"
	"sync"
	"sync/atomic"
)

// sendHalf is the direction in which this end sends.
type sendHalf struct {
	busy atomic.Bool // a Send is in progress; set with mu held

	mu      sync.Mutex
	window  sendWindow
	begun   bool          // a HEADER or DATA frame was sent, or is about to be
	first   bool          // the Send in progress is the first one
	ended   bool          // this end has ended the direction
	partial bool          // it stops inside a message
	turn    turn          // of the outbox; guarded by its mu
	pos     position      // in the outbox, of the last frame that a RESET must not overtake
	err     error         // why nothing more can be sent
	notify  chan struct{} // wakes the sender: there is more credit, or err
}

// reserve reserves the direction for one sender.
func (h *sendHalf) reserve() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.take()
}

// reserveWithPiece is reserve, and spends credit on the first piece of a message
// of n bytes, most at most. ok is false if there is not enough.
func (h *sendHalf) reserveWithPiece(n, most int) (size int, ok bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.take(); err != nil {
		return 0, false, err
	}
	if size, ok = h.window.piece(n, most); ok {
		h.window.spend(size)
	}
	return size, ok, nil
}

// take is reserve with mu held.
func (h *sendHalf) take() error {
	switch {
	case h.err != nil:
		return h.err
	case h.ended:
		return ErrStreamClosed
	case h.partial:
		return ErrPartialMessage
	case !h.busy.CompareAndSwap(false, true):
		return ErrConcurrent
	}
	h.begun, h.first = true, !h.begun
	return nil
}

// reserveForHeader is reserve for the frame that must come first.
func (h *sendHalf) reserveForHeader() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.err != nil:
		return h.err
	case h.begun || h.ended:
		return ErrStreamClosed
	}
	h.busy.Store(true)
	h.begun, h.first = true, true
	return nil
}

// retract says that the Send in progress has sent nothing.
func (h *sendHalf) retract() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = !h.first
}

// release ends the reservation.
func (h *sendHalf) release() { h.busy.Store(false) }

// end ends the direction and returns by how much the count of open directions
// falls.
func (h *sendHalf) end() int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0
	}
	h.ended = true
	return 1
}

// piece waits for credit and spends it on the next piece of a message of which
// n bytes are left. It returns the size of the piece, most at most.
func (h *sendHalf) piece(ctx context.Context, n, most int) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if h.err != nil {
			return 0, h.err
		}
		if size, ok := h.window.piece(n, most); ok {
			h.window.spend(size)
			return size, nil
		}
		if _, err := h.wait(ctx, nil); err != nil {
			return 0, err
		}
	}
}

// spendPiece is piece without waiting: it reports whether there was enough
// credit. It does not report why the direction has failed.
func (h *sendHalf) spendPiece(n, most int) (size int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0, false
	}
	if size, ok = h.window.piece(n, most); ok {
		h.window.spend(size)
	}
	return size, ok
}

// refund gives back what was spent on a piece that was not sent.
func (h *sendHalf) refund(size int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window.refund(size)
}

// await returns nil when ready is closed, or an error when the direction fails
// or ctx ends.
func (h *sendHalf) await(ctx context.Context, ready <-chan struct{}) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if ready, err := h.wait(ctx, ready); ready || err != nil {
			return err
		}
	}
}

// wait returns when there may be more credit, when done is closed, or with an
// error when the direction has failed or ctx ends. mu is held, but not while it
// waits.
func (h *sendHalf) wait(ctx context.Context, done <-chan struct{}) (ready bool, err error) {
	if h.err != nil {
		return false, h.err
	}
	if h.notify == nil {
		h.notify = make(chan struct{}, 1)
	}
	notify := h.notify
	h.mu.Unlock()
	defer h.mu.Lock()
	select {
	case <-notify:
		return false, nil
	case <-done:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (h *sendHalf) wake() {
	if h.notify == nil {
		return
	}
	select {
	case h.notify <- struct{}{}:
	default:
	}
}

// raise sets the limit that the peer has announced.
func (h *sendHalf) raise(limit uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.window.raise(limit) {
		h.wake()
	}
}

// raiseBy adds to the limit what the peer's HELLO grants beyond the default.
func (h *sendHalf) raiseBy(more uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window.limit += more
	h.wake()
}

// fail ends the direction with err, unless it has ended, and returns by how
// much the count of open directions falls.
func (h *sendHalf) fail(err error) int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0
	}
	h.err = err
	h.wake()
	if h.ended {
		return 0
	}
	return 1
}

// failure returns why nothing more can be sent, nil if nothing has failed.
func (h *sendHalf) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// over reports whether the direction has ended, in order or not.
func (h *sendHalf) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended || h.err != nil
}

// setPartial says that the direction stops inside a message.
func (h *sendHalf) setPartial() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.partial = true
}

func (h *sendHalf) setPosition(pos position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pos = pos
}

func (h *sendHalf) position() position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pos
}
