package transport

import (
	"sync/atomic"
	"time"
)

// frameCost is what a DATA frame costs beyond its payload, in bytes of credit,
// so that empty messages are flow-controlled too (PROTOCOL.md, section "Flow
// control").
const frameCost = 32

const (
	// firstWindow is the window in bytes, of a stream that carries much, as
	// soon as this is known.
	firstWindow = 2 << 20
	// largeWindow is the window in bytes from which on a quarter that is used
	// up is announced, not half: so three quarters are always left.
	largeWindow = 1 << 20
	// fastWindow is the window below which a window of at least
	// fastWindow/16 grows fourfold, not twofold: sixteen times in two round
	// trips.
	fastWindow = 4 << 20
)

// growWithin is the time within which half a window must be used up for the
// window to grow, while the round trip is not known.
const growWithin = 250 * time.Millisecond

// leastGrowWithin is that time where the round trip is short.
const leastGrowWithin = 4 * time.Millisecond

// growthTime is that time where the round trip is known. A window that lasts
// for less than four round trips may be what holds up the sender.
func growthTime(roundTrip time.Duration) time.Duration {
	if roundTrip == 0 {
		return growWithin
	}
	return max(2*roundTrip, leastGrowWithin)
}

// Budget bounds a number of bytes over several sessions
// (Parameters.WindowBudget, Parameters.ReassemblyBudget). Several goroutines
// may use it at once.
type Budget struct {
	left  atomic.Int64
	total int64
}

// NewBudget returns a budget of a number of bytes.
func NewBudget(bytes int64) *Budget {
	b := &Budget{total: bytes}
	b.left.Store(bytes)
	return b
}

// plenty reports whether three quarters are left when n bytes are taken.
func (b *Budget) plenty(n uint64) bool { return b.left.Load()-int64(n) >= b.total/4*3 }

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

func (b *windowBudget) init(bytes int, shared *Budget) {
	b.total, b.shared = int64(bytes), shared
	b.left.Store(b.total)
}

// plenty reports whether three quarters are left when n bytes are taken, of
// this session and of all: few windows have grown.
func (b *windowBudget) plenty(n uint64) bool {
	return b.Budget.plenty(n) && (b.shared == nil || b.shared.plenty(n))
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
// needs a new limit: enough of the window is used up.
func (w *recvWindow) needsUpdate(cost uint64) bool {
	w.consumed += cost
	return w.limit-w.consumed <= w.size-w.size/w.updates()
}

// updates returns how many limits are announced for each window of bytes.
func (w *recvWindow) updates() uint64 {
	if w.size >= largeWindow {
		return 4
	}
	return 2
}

// update moves the limit, and enlarges the window if the application keeps up,
// the data flows fast, and the budget allows it. It returns the limit to
// announce.
func (w *recvWindow) update(now time.Time, roundTrip time.Duration, most uint64, b *windowBudget) uint64 {
	keepsUp := w.received == w.consumed
	fast := now.Sub(w.updated) < growthTime(roundTrip)*2/time.Duration(w.updates())
	if keepsUp && fast {
		more := w.size
		if w.size >= fastWindow/16 && w.size < fastWindow {
			more = 3 * w.size
		}
		w.grow(min(more, most-w.size), b)
	}
	w.updated = now
	w.limit = w.consumed + w.size
	return w.limit
}

// widen makes the window of a stream that is going to carry much a large one at
// once, while the windows of few streams are large. It returns the limit to
// announce, or 0.
func (w *recvWindow) widen(now time.Time, most uint64, b *windowBudget) uint64 {
	size := min(firstWindow, most)
	if w.grown > 0 || w.size >= size || !b.plenty(size-w.size) || !w.grow(size-w.size, b) {
		return 0
	}
	w.updated = now
	w.limit = w.consumed + w.size
	return w.limit
}

// grow enlarges the window by more bytes if the budget allows it.
func (w *recvWindow) grow(more uint64, b *windowBudget) bool {
	if more == 0 || !b.take(more) {
		return false
	}
	w.size += more
	w.grown += more
	return true
}

// moved reports whether the limit is another one than at the beginning.
func (w *recvWindow) moved() bool { return w.consumed > 0 || w.grown > 0 }

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
