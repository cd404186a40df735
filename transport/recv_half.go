package transport

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// recvHalf is the direction in which this end receives.
type recvHalf struct {
	mu       sync.Mutex
	window   recvWindow
	header   recvHeader
	trailer  []byte // of the END frame
	err      error  // why nothing more arrives
	arriving arrivingMessage
	inbox    inbox
	ended    bool          // the peer has ended the direction
	dropped  atomic.Bool   // what has arrived is not to be received; set with mu held
	msg      messageBuffer // the message that a Recv puts together
	notify   chan struct{} // wakes that Recv

	// Of the Recv in progress.
	receiving atomic.Bool // there is one
	batch     readBatch
}

// nextInBatch returns the next message if the batch has all of it. It needs no
// lock.
func (r *recvHalf) nextInBatch() (m Message, ok bool) {
	if r.batch.empty() || r.msg.interrupted || r.dropped.Load() {
		return Message{}, false
	}
	m, ok = r.batch.nextMessage()
	m.HasHeader = r.header.bytes != nil // settled before the first message came
	return m, ok
}

// gather moves pieces to the message up to its end, and returns the limit to
// announce, or 0.
func (r *recvHalf) gather(s *Session) (limit uint64) {
	r.msg.blocked = false
	if r.dropped.Load() {
		r.batch.clear()
	}
	for !r.msg.complete && !r.msg.blocked {
		if r.batch.empty() && !r.batch.takeOver(&r.inbox) {
			break
		}
		flags, size := r.batch.next()
		last := flags&frame.FlagMore == 0
		switch {
		case r.msg.provider != nil && last && len(r.msg.bytes) == 0:
			r.msg.bytes = r.batch.borrow()
		case r.reserveRoom(s, flags, size):
			r.msg.bytes = append(r.msg.bytes, r.batch.borrow()...)
			r.batch.returnBorrowed()
		default:
			r.msg.blocked = true
			continue
		}
		r.msg.mark, r.msg.complete = flags&frame.FlagMark != 0, last
		r.batch.cost += uint64(size) + frameCost
	}
	limit = r.consume(s, r.batch.cost)
	r.batch.cost, r.batch.maxCost = 0, r.window.size/4
	return limit
}

// reserveRoom makes room for a piece in the message that a Recv puts together.
// If it reports false, that has to wait: the session holds as much for messages
// of several frames as it may. notify wakes the Recv then.
func (r *recvHalf) reserveRoom(s *Session, flags frame.Flags, piece int) bool {
	m := &r.msg
	need := len(m.bytes) + piece
	switch {
	case need <= cap(m.bytes):
		return true
	case flags&frame.FlagMore == 0 && len(m.bytes) == 0: // the only piece
		m.grow(need)
		return true
	}
	if m.claim.wake == nil {
		m.claim.wake = r.notified()
	}
	size, longest := m.sizes(need, r.arriving.longest, s.cfg.MaxMessage)
	switch {
	case r.err != nil: // the session has ended: only what is here can follow
	case longest > size && s.assembly.tryReserve(&m.claim, longest):
		size = longest
	case !s.assembly.reserve(&m.claim, size):
		return false
	}
	m.grow(size)
	return true
}

// consume records a cost as read and returns the limit to announce, or 0. There
// is nothing to announce once the peer has ended the direction.
func (r *recvHalf) consume(s *Session, cost uint64) (limit uint64) {
	if !r.window.needsUpdate(cost) || r.ended || r.err != nil {
		return 0
	}
	return r.window.update(time.Now(), s.roundTrip.value(), uint64(s.cfg.MaxWindow), &s.windows)
}

// widen enlarges the window of a stream that is going to carry much, and
// returns the limit to announce, or 0.
func (r *recvHalf) widen(s *Session) (limit uint64) {
	if r.ended || r.err != nil {
		return 0
	}
	return r.window.widen(time.Now(), uint64(s.cfg.MaxWindow), &s.windows)
}

// over returns the reason why no message follows, if there is one.
func (r *recvHalf) over() error {
	if r.err != nil {
		return r.err
	}
	if r.ended {
		return io.EOF
	}
	return nil
}

// announced returns the limit that the peer has received, or 0 if it is the
// initial one or nothing more can arrive.
func (r *recvHalf) announced() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.err != nil || !r.window.moved() {
		return 0
	}
	return r.window.limit
}

// end ends the direction with a trailer; mu is held.
func (r *recvHalf) end(trailer []byte) {
	r.ended, r.trailer = true, trailer
	r.header.settle(nil)
	r.wake()
}

// notified returns the channel that wake sends to; mu is held.
func (r *recvHalf) notified() chan struct{} {
	if r.notify == nil {
		r.notify = make(chan struct{}, 1)
	}
	return r.notify
}

func (r *recvHalf) wake() {
	if r.notify == nil {
		return
	}
	select {
	case r.notify <- struct{}{}:
	default:
	}
}

// fail ends the direction with err, unless it has ended, and returns by how
// much the count of open directions falls. A reset drops what was not read.
func (r *recvHalf) fail(s *Session, err error) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || r.ended {
		return 0
	}
	r.err = err
	if isReset(err) {
		r.drop()
		if r.msg.saved != nil { // else a Recv runs, which sees err, or what it has returned is in use
			r.msg.saved = nil
			s.assembly.release(&r.msg.claim)
		}
	}
	r.header.settle(nil)
	r.wake()
	s.interruptRead()
	return 1
}

// unread returns how many bytes are held that have arrived and were not
// received, header and trailer included.
func (r *recvHalf) unread() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.header.bytes) + len(r.trailer) + cap(r.msg.bytes) + cap(r.msg.saved)
	if !r.dropped.Load() {
		n += int(r.window.received - r.window.consumed)
	}
	return n
}

// drop drops what has arrived and was not received. A Recv in progress drops
// its batch itself.
func (r *recvHalf) drop() {
	r.dropped.Store(true)
	r.inbox.clear()
}

// release frees what the stream holds.
func (r *recvHalf) release(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = ErrStreamClosed
	}
	r.drop()
	r.msg.saved = nil
	r.window.giveBack(&s.windows)
	s.assembly.release(&r.msg.claim)
	r.wake()
	s.interruptRead()
}
