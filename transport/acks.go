package transport

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// ackDelay is how long a frame that has arrived may stay unacknowledged. The
// specification allows 1 s.
const ackDelay = 500 * time.Millisecond

// ackSoon is how long they may stay unacknowledged once they are soonBytes: the
// peer estimates the path from acknowledgements.
const (
	ackSoon   = 5 * time.Millisecond
	soonBytes = 8 << 10
)

// ackBytes is how many bytes may arrive unacknowledged if the peer keeps more
// than four times as many. A small number keeps the peer's memory small and
// warm.
const ackBytes = 64 << 10

// acks counts the sequenced frames that have arrived and decides when to
// acknowledge them (PROTOCOL.md, section "ACK").
type acks struct {
	received atomic.Uint64 // sequenced frames
	unacked  int           // bytes of frames not acknowledged; of the reader goroutine
	armed    atomic.Int32  // the ackAction for which the timer runs; 0: it does not run

	mu      sync.Mutex
	sent    uint64 // the number in the last ACK
	timer   *time.Timer
	stopped bool
}

// ackAction is what to do after frames have arrived.
type ackAction int

const (
	ackNothing ackAction = iota
	ackLater             // call arm: within ackDelay
	ackSooner            // call arm: within ackSoon
	ackNow               // call send
)

// add counts frames that have arrived. replayLimit is how many bytes the peer
// keeps. Only the reader goroutine calls it.
func (a *acks) add(frames uint64, bytes int, replayLimit uint64) ackAction {
	a.received.Add(frames)
	if a.armed.Load() == 0 { // the timer has fired: what came before is acknowledged
		a.unacked = 0
	}
	a.unacked += bytes
	switch {
	case uint64(a.unacked) >= min(replayLimit/4, ackBytes):
		a.unacked = 0
		return ackNow
	case a.unacked >= soonBytes:
		if a.armed.Swap(int32(ackSooner)) != int32(ackSooner) {
			return ackSooner
		}
	case a.armed.CompareAndSwap(0, int32(ackLater)):
		return ackLater
	}
	return ackNothing
}

// send queues an ACK unless the peer has the number already. The reader
// goroutine and the timer may both call it. It holds mu while it queues the
// frame, so that a number never follows a higher one.
func (a *acks) send(out *outbox) error {
	var b [frame.MaxHeaderLen + 8]byte
	a.mu.Lock()
	defer a.mu.Unlock()
	received := a.received.Load()
	if received == a.sent {
		return nil
	}
	a.sent = received
	return out.putLinkControl(frame.AppendAck(b[:0], received))
}

// arm starts the timer; newTimer makes it if there is none.
func (a *acks) arm(action ackAction, newTimer func(time.Duration) *time.Timer) {
	delay := ackDelay
	if action == ackSooner {
		delay = ackSoon
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.stopped:
	case a.timer == nil:
		a.timer = newTimer(delay)
	default:
		a.timer.Reset(delay)
	}
}

// fired says that the timer has fired.
func (a *acks) fired() { a.armed.Store(0) }

// releaseIdle frees the timer unless it runs.
func (a *acks) releaseIdle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.armed.Load() == 0 {
		a.timer = nil
	}
}

// stop stops the timer for good.
func (a *acks) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

// countReceived counts what one read of the link has brought, and acknowledges
// it now or later if the session can be resumed.
func (d dispatcher) countReceived(in *arrival) {
	frames, bytes := in.sequenced, in.bytes
	if frames == 0 {
		return
	}
	in.sequenced, in.bytes = 0, 0
	if !d.s.resumption.enabled() {
		d.s.acks.received.Add(frames)
		return
	}
	switch action := d.s.acks.add(frames, bytes, d.s.settings().ReplayLimit); action {
	case ackNow:
		d.s.acknowledge()
	case ackLater, ackSooner:
		d.s.acks.arm(action, func(delay time.Duration) *time.Timer { return time.AfterFunc(delay, d.s.ackTimeout) })
	}
}

// acknowledge tells the peer how many frames have arrived.
func (s *Session) acknowledge() { s.queued(s.acks.send(s.out)) }

// ackTimeout acknowledges what has arrived, and releases the memory that a
// session without streams does not need. It runs only after a pause, because
// the next frame allocates that memory again.
func (s *Session) ackTimeout() {
	s.acks.fired()
	if !s.detached.Load() { // else HELLO says it on the next link, and nothing waits to be sent
		s.acknowledge()
	}
	s.mu.Lock()
	idle := s.streams.releaseIdle()
	s.mu.Unlock()
	if idle {
		s.acks.releaseIdle()
	}
}
