package transport

import (
	"sync/atomic"
	"time"
)

// frameCost is what a DATA frame costs beyond its payload, in bytes of credit,
// so that empty messages are flow-controlled too (PROTOCOL.md, section "Flow control").
const frameCost = 32

// growWithin is the time in which half a window has to be used up for the window
// to grow. A window thus comes to cover a round trip of twice that time.
const growWithin = 250 * time.Millisecond

// Budget bounds by how much the windows of streams may grow, over several sessions
// (Parameters.WindowBudget). It may be used by several goroutines at once.
type Budget struct{ left atomic.Int64 }

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget {
	b := new(Budget)
	b.left.Store(bytes)
	return b
}

// take takes n bytes if there are as many.
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

// windowBudget is how much the windows of a session may still grow, in bytes.
type windowBudget struct {
	Budget
	shared *Budget // with other sessions; nil: none
}

// take takes n bytes if both the session and all together have as many.
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

// recvWindow is the credit that a stream's reader has given to its writer. All
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

// receive books the arrival of a frame and tells whether the credit covered it.
func (w *recvWindow) receive(cost uint64) bool {
	if cost > w.limit-w.received {
		return false
	}
	w.received += cost
	return true
}

// needsUpdate books that the application has consumed a frame and tells whether
// the peer has to hear of it: half of the window is used up.
func (w *recvWindow) needsUpdate(cost uint64) bool {
	w.consumed += cost
	return w.limit-w.consumed <= w.size/2
}

// update moves the limit, and doubles the window if the reader keeps up, the
// data flows fast, and the budget allows. It returns the limit to announce.
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

// sendWindow is the credit that a stream's writer has got.
type sendWindow struct {
	limit uint64
	spent uint64
}

// raise takes over a limit, unless it is one already known, and tells so.
func (w *sendWindow) raise(limit uint64) bool {
	if limit <= w.limit {
		return false
	}
	w.limit = limit
	return true
}

// smallPiece is the least that is sent of a longer message while credit is
// short, in bytes, so that a window is not used up in crumbs. It is below half
// of the smallest window: the peer always announces more before it matters.
const smallPiece = 4 << 10

// piece tells how many of n bytes may be sent now, in a frame of at most most
// bytes; ok is false if the writer has to wait for credit.
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

// refund takes back a spend whose piece was not sent.
func (w *sendWindow) refund(size int) { w.spent -= uint64(size) + frameCost }
