package transport

import (
	"fmt"
	"time"
)

// bucketPeriod is the time over which a leakyBucket averages.
const bucketPeriod = 10 * time.Second

// leakyBucket bounds how often an event happens: on average over bucketPeriod,
// no more than a number per second. It holds the events of one period, in a
// burst or not.
type leakyBucket struct {
	level   float64 // events
	updated time.Time
}

// add counts an event and reports whether it is within perSecond.
func (b *leakyBucket) add(now time.Time, perSecond int) bool {
	capacity := float64(perSecond) * bucketPeriod.Seconds()
	leaked := now.Sub(b.updated).Seconds() * float64(perSecond)
	b.level = max(b.level-leaked, 0) + 1
	b.updated = now
	return b.level <= capacity
}

// peerLimits counts what a peer may do only so often. It belongs to the reader
// goroutine.
type peerLimits struct {
	abortedStreams leakyBucket // streams that the peer opened and nothing came of
	pings          leakyBucket
}

// countPing counts a PING of the peer. The error ends the session.
func (l *peerLimits) countPing(now time.Time, perSecond int) error {
	if !l.pings.add(now, perSecond) {
		return tooMany("PINGs", perSecond)
	}
	return nil
}

// countAborted counts a stream of the peer that was aborted, and returns how
// long to wait before the next frame is read. The error ends the session.
//
// A peer that has used up what is allowed in one second is read more slowly, at
// four times the allowed rate at most, until it has used up what is allowed in
// a period. Otherwise a peer that is cut off and reconnects would get a
// period's worth of work done each time.
func (l *peerLimits) countAborted(now time.Time, perSecond int) (delay time.Duration, err error) {
	if !l.abortedStreams.add(now, perSecond) {
		return 0, tooMany("aborted streams", perSecond)
	}
	if l.abortedStreams.level <= float64(perSecond) {
		return 0, nil
	}
	return time.Second / time.Duration(4*perSecond), nil
}

// delayed says that the reader has waited until now, which drains nothing from
// the bucket of aborted streams.
func (l *peerLimits) delayed(now time.Time) { l.abortedStreams.updated = now }

// tooMany ends the session of a peer that does something too often.
func tooMany(what string, perSecond int) error {
	return &CloseError{Code: CloseRefusal + refusalExhausted, Reason: fmt.Sprintf("more than %d %s per second", perSecond, what)}
}

// countAborted counts a stream of the peer that was aborted by what the peer
// did. It may delay the reader goroutine.
func (d dispatcher) countAborted() error {
	delay, err := d.s.limits.countAborted(time.Now(), d.s.cfg.MaxResets)
	if delay > 0 {
		time.Sleep(delay)
		d.s.limits.delayed(time.Now())
	}
	return err
}
