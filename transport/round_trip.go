package transport

import (
	"sync/atomic"
	"time"
)

// largeLimit is the limit of a stream's window in bytes from which on the round
// trip matters.
const largeLimit = 256 << 10

// roundTripValid is how long a measured round trip counts.
const roundTripValid = 10 * time.Second

// roundTrip is the round trip of a session as its receiving side measures it:
// by HELLO at a dialer, and by a PING now and then while much arrives. Windows
// grow by it. One goroutine at a time may call add; any may call the others.
type roundTrip struct {
	nanoseconds atomic.Int64 // 0: not known
	seenAt      atomic.Int64 // Unix time in nanoseconds
	began       time.Time    // when HELLO was sent, at a dialer
}

func (r *roundTrip) begin(now time.Time) { r.began = now }

// answered says that the answer to HELLO has arrived.
func (r *roundTrip) answered(now time.Time) { r.add(now, now.Sub(r.began)) }

// value returns the round trip, 0 if it is not known.
func (r *roundTrip) value() time.Duration { return time.Duration(r.nanoseconds.Load()) }

// stale reports whether it is time to measure again.
func (r *roundTrip) stale(now time.Time) bool {
	return now.UnixNano()-r.seenAt.Load() > int64(roundTripValid)
}

// add adds a sample. The shortest counts, as a longer one has waited in queues,
// until it is old.
func (r *roundTrip) add(now time.Time, sample time.Duration) {
	if before := r.value(); before != 0 && sample > before && !r.stale(now) {
		return
	}
	r.nanoseconds.Store(max(int64(sample), 1))
	r.seenAt.Store(now.UnixNano())
}

// refreshRoundTrip sends a PING that measures the round trip if it is time to.
func (s *Session) refreshRoundTrip() {
	now := time.Now()
	if !s.roundTrip.stale(now) {
		return
	}
	s.mu.Lock()
	if s.pings.timed != 0 && now.Sub(s.pings.timedAt) < roundTripValid {
		s.mu.Unlock()
		return // one is on its way
	}
	err := s.putPing()
	s.pings.time(now)
	s.mu.Unlock()
	s.queued(err)
}
