package transport

import (
	"fmt"
	"time"
)

// AckTimeout acknowledges what has arrived, as the timer does.
func (s *Session) AckTimeout() { s.ackTimeout() }

// Knows reports whether a session with that id can be resumed.
func (k *Sessions) Knows(id []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[string(id)] != nil
}

// Residue returns what a session still holds for streams.
func (s *Session) Residue() (left []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := int64(s.cfg.MaxBuffered-s.cfg.MaxStreams*s.cfg.InitialWindow) - s.windows.left.Load()
	for _, c := range []struct {
		what string
		n    int
	}{
		{"streams in the table", int(s.streams.live.Load())},
		{"slots of local streams", s.streams.local},
		{"slots of the peer's streams", s.streams.remote},
		{"streams of the peer in use", s.streams.remoteUsed},
		{"streams that wait for Accept", len(s.accepting.streams)},
		{"waits to open a stream", s.streams.slotQueue.len()},
		{"bytes of the budget", int(lost)},
		{"bytes of messages that are put together", int(s.assembly.used)},
		{"messages that wait to be put together", s.assembly.waiting.Len()},
	} {
		if c.n != 0 {
			left = append(left, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if o := s.out; o.data.queued != 0 || o.urgent.bytes != 0 || !o.data.empty() || o.data.waits() {
		left = append(left, fmt.Sprintf("%d and %d bytes to write", o.data.queued, o.urgent.bytes))
	}
	if extra := s.out.replay.room.extra; extra != 0 {
		left = append(left, fmt.Sprintf("%d bytes of the budget for replay", extra))
	}
	return left
}

// PooledStreams returns how many streams are kept for reuse.
func (s *Session) PooledStreams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams.pool.local) + len(s.streams.pool.remote)
}

// Received returns how many sequenced frames have arrived.
func (s *Session) Received() uint64 { return s.acks.received.Load() }

// Left returns how many bytes are left of a budget.
func (b *Budget) Left() int64 { return b.left.Load() }

// Unread returns how many bytes a session holds that have arrived and were not received.
func (s *Session) Unread() int { return s.unread() }

// RoundTrip returns the round trip that windows grow by, 0 if it is not known.
func (s *Session) RoundTrip() time.Duration { return s.roundTrip.value() }

// LendsReading reports whether the reader goroutine has lent reading, and
// whether a goroutine that waits reads.
func (s *Session) LendsReading() (lent, waiterReads bool) {
	l := s.lease.Load()
	return l != nil, l != nil && l.state.Load() == leaseAwaiting
}

// LendEagerly makes all sessions lend reading after each reply, until restore is
// called.
func LendEagerly() (restore func()) {
	least, most := minAlternations, maxAlternations
	minAlternations, maxAlternations = 1, 1
	return func() { minAlternations, maxAlternations = least, most }
}
