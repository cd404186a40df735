package path

import (
	"testing"
	"time"
)

const ms = time.Millisecond

func TestBottleneckSendsAtItsRate(t *testing.T) {
	b := bottleneck{rate: 1e6, queue: 20 * ms}
	for _, c := range []struct {
		now           time.Duration
		n             int
		departs, room time.Duration
	}{
		{now: 0, n: 10_000, departs: 10 * ms, room: 0},
		{now: 0, n: 10_000, departs: 20 * ms, room: 0},            // it waits for what is before it
		{now: 0, n: 5_000, departs: 25 * ms, room: 5 * ms},        // the queue is full
		{now: 5 * ms, n: 5_000, departs: 30 * ms, room: 10 * ms},  // and again
		{now: 40 * ms, n: 1_000, departs: 41 * ms, room: 40 * ms}, // idle time is not made up for
		{now: 40 * ms, n: 0, departs: 41 * ms, room: 40 * ms},     // the end of a stream waits too
	} {
		departs, room := b.admit(c.now, c.n)
		if departs != c.departs || room != c.room {
			t.Errorf("%d bytes at %v depart at %v, with room at %v; want %v, %v", c.n, c.now, departs, room, c.departs, c.room)
		}
	}
}

func TestBottleneckWithoutRateHoldsNothing(t *testing.T) {
	var b bottleneck
	if departs, room := b.admit(ms, 1<<30); departs != ms || room != ms {
		t.Errorf("departs at %v, room at %v", departs, room)
	}
}

func TestChunksLeaveInAMillisecond(t *testing.T) {
	for rate, want := range map[Rate]int{
		0: maxChunk, 10 * Megabit: 1250, 100 * Megabit: 12_500, 10_000 * Megabit: maxChunk, Megabit: minChunk,
	} {
		b := bottleneck{rate: rate}
		if got := b.chunk(); got != want {
			t.Errorf("chunks of %d bytes at %v bytes/s, want %d", got, rate, want)
		}
	}
}

func TestPathsAreNamedByRoundTripAndRate(t *testing.T) {
	for want, p := range map[string]Path{
		"20ms-50mbit":     {RoundTrip: 20 * ms, Up: 50 * Megabit, Down: 50 * Megabit},
		"30ms-1gbit":      {RoundTrip: 30 * ms, Up: 1000 * Megabit, Down: 1000 * Megabit},
		"100ms-unlimited": {RoundTrip: 100 * ms},
		"300ms-10-50mbit": {RoundTrip: 300 * ms, Up: 10 * Megabit, Down: 50 * Megabit},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
