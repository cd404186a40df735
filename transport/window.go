package transport

import (
	"sync/atomic"
	"time"
)

// frameCost is what a DATA frame costs beyond its payload, in bytes of credit,
// so that empty messages are flow-controlled too (PROTOCOL.md, section "Flow
// control").
const frameCost = 32

// growWithin is the time within which half a window must be used up for the
// window to grow. A window thus grows until it covers a round trip of twice
// that time.
const growWithin = 250 * time.Millisecond

// Budget bounds a number of bytes over several sessions
// (Parameters.WindowBudget, Parameters.ReassemblyBudget). Several goroutines
// may use it at once.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of a number of bytes.
func NewBudget(bytes int64) *Budget {
	b := new(Budget)
	b.left.Store(bytes)
	return b
}

// take takes n bytes, if that many are left.
func (b *Budget) take(n uint64) bool {
	for {
		left := b.left.Load()
		if left < int64(n) {
			return false
		}
		if b.left.CompareAndSwap(left, left-int64(n)) {
			return true
		}
	}
}

func (b *Budget) give(n uint64) { b.left.Add(int64(n)) }

// windowBudget bounds by how many bytes the windows of a session may grow.
type windowBudget struct {
	Budget
	shared *Budget // with other sessions; nil: none
}

// take takes n bytes, if both the session and all sessions have that many left.
func (b *windowBudget) take(n uint64) bool {
	if !b.Budget.take(n) {
		return false
	}
	if b.shared != nil && !b.shared.take(n) {
		b.Budget.give(n)
		return false
	}
	return true
}

func (b *windowBudget) give(n uint64) {
	b.Budget.give(n)
	if b.shared != nil {
		b.shared.give(n)
	}
}

// recvWindow is the credit that this end has given to the peer on a stream. All
// offsets are sums of costs since the stream was opened.
type recvWindow struct {
	size     uint64 // how far limit runs ahead of consumed
	limit    uint64 // announced to the peer
	received uint64
	consumed uint64
	grown    uint64    // part of size that was taken from the budget
	updated  time.Time // when limit was last moved
}

func newRecvWindow(initial uint64) recvWindow {
	return recvWindow{size: initial, limit: initial}
}

// receive counts a frame that has arrived and reports whether the credit covers
// it.
func (w *recvWindow) receive(cost uint64) bool {
	if cost > w.limit-w.received {
		return false
	}
	w.received += cost
	return true
}

// needsUpdate counts what the application has read and reports whether the peer
// needs a new limit: half of the window is used up.
func (w *recvWindow) needsUpdate(cost uint64) bool {
	w.consumed += cost
	return w.limit-w.consumed <= w.size/2
}

// update moves the limit, and doubles the window if the application keeps up,
// the data flows fast, and the budget allows it. It returns the limit to
// announce.
func (w *recvWindow) update(now time.Time, most uint64, b *windowBudget) uint64 {
	keepsUp := w.received == w.consumed
	fast := now.Sub(w.updated) < growWithin
	if more := min(w.size, most-w.size); keepsUp && fast && more > 0 && b.take(more) {
		w.size += more
		w.grown += more
	}
	w.updated = now
	w.limit = w.consumed + w.size
	return w.limit
}

// giveBack returns what the window has taken from the budget.
func (w *recvWindow) giveBack(b *windowBudget) {
	b.give(w.grown)
	w.size -= w.grown
	w.grown = 0
}

// sendWindow is the credit that the peer has given to this end on a stream.
type sendWindow struct {
	limit uint64
	spent uint64
}

// raise sets a limit, unless it is not a higher one, and reports whether it
// has.
func (w *sendWindow) raise(limit uint64) bool {
	if limit <= w.limit {
		return false
	}
	w.limit = limit
	return true
}

// smallPiece is the smallest piece of a longer message in bytes, so that a
// window is not used up by tiny pieces while credit is short. It is less than
// half of the smallest window: the peer always announces a new limit before it
// matters.
const smallPiece = 4 << 10

// piece returns how many of n bytes may be sent now, in a frame of at most most
// bytes. ok is false if the sender must wait for credit.
func (w *sendWindow) piece(n, most int) (size int, ok bool) {
	credit := w.limit - w.spent
	size = min(n, most)
	if credit >= uint64(size)+frameCost {
		return size, true
	}
	if credit >= smallPiece+frameCost {
		return min(size, int(credit-frameCost)), true
	}
	return 0, false
}

func (w *sendWindow) spend(size int) { w.spent += uint64(size) + frameCost }

// refund undoes spend for a piece that was not sent.
func (w *sendWindow) refund(size int) { w.spent -= uint64(size) + frameCost }
