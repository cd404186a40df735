package transport

import "time"

// path estimates what the network path between the two ends holds, and limits
// how many bytes this end sends that the peer has not acknowledged. It does
// what BBR (draft-ietf-ccwg-bbr) does for packets: the path holds the delivery
// rate times the shortest round trip, and more than that only waits in a queue,
// in front of every small message. docs/design/flow.md has the reasons and
// traces.
//
// It is a pure state object: its owner says what was sent and acknowledged, and
// when. The outbox's mu guards it.
type path struct {
	initial int // bytes: the limit before anything is known
	most    int // bytes: the limit never exceeds it

	sent    uint64 // bytes
	acked   uint64 // bytes
	marked  uint64 // bytes sent up to the last mark
	crowded uint64 // bytes sent up to which small messages count as sent beside large ones

	*estimate // nil before the first mark: most sessions never have much in flight
}

// estimate is what a path has learned.
type estimate struct {
	phase   phase
	ackedAt time.Time
	sentAt  time.Time // of the last mark that was acknowledged
	marks   fifo[mark]

	rate     maxRate
	roundEnd uint64        // bytes acknowledged with which the next round begins
	quickest time.Duration // the shortest round trip of this round; 0: none yet
	slow     int           // rounds in a row in which all round trips were long
	full     float64       // the highest rate when it last grew by a quarter
	flat     int           // rounds since then

	roundTrip minRoundTrip
	dip       dipState
	lateAcks  int // in a row, for which all waited
}

// phase is what the path does to learn more.
type phase int

const (
	phaseStartUp phase = iota // the limit doubles in each round, until the rate stops to grow
	phaseDrain                // what start-up has sent too much leaves the queues
	phaseCruise               // the limit is a little more than what the path holds
	phaseDip                  // for a round trip it is half of that, to see the shortest round trip
)

// dipState belongs to phaseDip.
type dipState struct {
	limit     int       // bytes
	ends      time.Time // zero: not before no more than limit is in flight
	suspected float64   // the rate if there was a queue; 0: nothing suggested that
	next      time.Time // no dip is suspected before

	again time.Duration // the shortest round trip since little is in flight; 0: none yet
}

// see adds a round trip of the dip.
func (d *dipState) see(roundTrip time.Duration) {
	if d.again == 0 || roundTrip < d.again {
		d.again = roundTrip
	}
}

// mark is a moment at which something was sent. Its acknowledgement gives a
// sample of the round trip and the rate.
type mark struct {
	end     uint64    // bytes sent up to here
	at      time.Time // now
	acked   uint64    // bytes acknowledged before
	ackedAt time.Time // when the last of them were
	sentAt  time.Time // when those were sent
	limited bool      // the application had no more to send
}

const (
	// markEvery is how many bytes lie between two marks. So few that are not
	// acknowledged teach nothing, and cost nothing.
	markEvery = 16 << 10
	// startUpGain makes the limit grow nearly threefold in a round, so that a
	// connection without history fills a path of 16 MiB in four round trips.
	startUpGain = 2.9
	// fullGrowth and fullRounds say when the rate has stopped to grow.
	fullGrowth, fullRounds = 1.25, 3
	// slowRounds is how many rounds with long round trips only are a sign.
	slowRounds = 2
	// cruiseGain lets a rate that has become higher show itself.
	cruiseGain = 1.06
	// slack is what may be in flight beyond, as a time: the peer's
	// acknowledgements are a few milliseconds late, and so are goroutines.
	slack = 10 * time.Millisecond
	// maxSlack bounds that, in bytes. It is also what may be in flight where
	// both ends are on one machine.
	maxSlack = 1 << 20
	// crowdedSlack takes the place of maxSlack while small messages are sent
	// beside large ones, where the path holds little. crowdedFor is how many
	// bytes are sent before the last small message no longer counts.
	crowdedSlack = 128 << 10
	crowdedFor   = 64 << 20
	// minLimit is the lowest limit, in bytes: two frames.
	minLimit = 64 << 10
	// dipEvery is how long the shortest round trip counts.
	dipEvery = 10 * time.Second
	// lateAck is how late an acknowledgement is that was not sent because
	// enough has arrived, but because the peer's timer has fired. Peers of
	// version 0.1 have one of 500 ms.
	lateAck = 250 * time.Millisecond
	// maxLateAcks is how many of them in a row show that what is in flight is
	// too little for the peer to acknowledge it at once.
	maxLateAcks = 3
	// minDip is how long a dip lasts at least, and minDipPause how long there
	// is none after it.
	minDip, minDipPause = 20 * time.Millisecond, time.Second
)

// restart forgets what was learned: the session has a new link, on which n
// bytes that were sent before are in flight.
func (p *path) restart(n int) {
	*p = path{initial: p.initial, most: p.most, sent: p.sent, acked: p.sent - uint64(n), marked: p.sent}
}

// wantsMark reports whether n more bytes make a mark: sent needs the time then.
func (p *path) wantsMark(n int) bool { return p.sent+uint64(n)-max(p.marked, p.acked) >= markEvery }

// send counts n bytes without a mark.
func (p *path) send(n int) { p.sent += uint64(n) }

// sendMarked counts n bytes. limited says that the application has no more to
// send.
func (p *path) sendMarked(now time.Time, n int, limited bool) {
	if p.estimate == nil {
		p.estimate = new(estimate)
	}
	if p.marks.len() == 0 { // nothing that counts was in flight
		p.ackedAt, p.sentAt = now, now
	}
	p.sent += uint64(n)
	p.marked = p.sent
	p.marks.push(mark{end: p.sent, at: now, acked: p.acked, ackedAt: p.ackedAt, sentAt: p.sentAt, limited: limited})
}

// hasMarks reports whether an acknowledgement can teach something: ackMarked
// needs the time then.
func (p *path) hasMarks() bool { return p.estimate != nil && p.marks.len() > 0 }

// ack counts n bytes as acknowledged.
func (p *path) ack(n int) { p.acked += uint64(n) }

// ackMarked counts n bytes as acknowledged and learns from it.
func (p *path) ackMarked(now time.Time, n int) {
	p.acked += uint64(n)
	p.ackedAt = now
	var last mark
	for p.marks.len() > 0 && p.marks.all()[0].end <= p.acked {
		last = p.marks.pop()
	}
	if last.end > 0 {
		p.noteLate(now, last, 2*n >= p.limit())
		p.learn(now, last)
	}
	if p.marks.len() == 0 {
		p.marks = fifo[mark]{} // a session at rest holds none
	}
}

// noteLate counts acknowledgements of a mark that come late although nothing
// else is in flight. most says that they are for most of what may be.
func (p *path) noteLate(now time.Time, m mark, most bool) {
	switch {
	case p.lateAcks >= maxLateAcks || m.limited:
	case most && p.sent == p.acked && now.Sub(m.at) >= p.roundTrip.least+lateAck:
		p.lateAcks++
	default:
		p.lateAcks = 0
	}
}

// held returns how many bytes the peer does not acknowledge at once: a
// quarter of replay_limit, if it has shown that it waits for so many.
func (p *path) held() int {
	if p.lateAcks < maxLateAcks {
		return 0
	}
	return p.initial / 8
}

// learn takes the acknowledgement of a mark into account.
func (p *path) learn(now time.Time, m mark) {
	p.sentAt = m.at
	roundTrip := now.Sub(m.at)
	p.roundTrip.add(now, roundTrip)
	if p.phase == phaseDip {
		p.dip.see(roundTrip)
	}
	if m.acked >= p.roundEnd {
		if !m.limited {
			p.noteGrowth()
		}
		p.beginRound(now)
	}
	if p.quickest == 0 || roundTrip < p.quickest {
		p.quickest = roundTrip
	}
	if elapsed := max(now.Sub(m.ackedAt), m.at.Sub(m.sentAt)); elapsed >= p.roundTrip.least && elapsed > 0 {
		rate := float64(p.acked-m.acked) / elapsed.Seconds()
		if m.limited { // the path may carry more than that, and never less
			rate = max(rate, p.rate.most)
		}
		p.rate.add(rate)
	}
	p.advance(now)
}

// noteGrowth looks at the end of a round in which the limit counted whether the
// rate still grows, and ends start-up if it does not.
func (p *path) noteGrowth() {
	if p.phase != phaseStartUp {
		return
	}
	if rate := p.rate.most; rate >= fullGrowth*p.full {
		p.full, p.flat = rate, 0
	} else if p.flat++; p.flat >= fullRounds {
		p.phase = phaseDrain
	}
}

// beginRound begins a round. If all round trips of the last two were long,
// either the path has become slower and a queue has formed, or it has become
// longer. A dip shows which.
func (p *path) beginRound(now time.Time) {
	p.roundEnd = p.sent
	if p.slow++; p.quickest <= p.roundTrip.least*3/2+2*slack {
		p.slow = 0
	}
	if p.phase == phaseCruise && p.slow >= slowRounds && now.After(p.dip.next) {
		p.startDip(p.rate.recent())
	}
	p.quickest = 0
	p.rate.nextRound()
}

// startDip begins a dip, with the rate that remains if the dip shows that there
// was a queue; 0 if nothing suggests that.
func (p *path) startDip(suspected float64) {
	p.phase = phaseDip
	p.dip.ends, p.dip.suspected = time.Time{}, suspected
	p.dip.again = 0
	p.dip.limit = int(p.rate.recent() * p.roundTrip.least.Seconds() / 2)
}

// endDip takes what a dip has shown for true.
func (p *path) endDip(now time.Time) {
	before := p.roundTrip.least
	p.roundTrip.set(now, p.dip.again)
	if p.dip.suspected > 0 && p.roundTrip.least <= before*5/4+slack {
		p.rate.set(p.dip.suspected)
	}
	p.dip.next = now.Add(max(minDipPause, 8*p.roundTrip.least))
	p.phase = phaseCruise
}

// advance moves to the next phase when it is time.
func (p *path) advance(now time.Time) {
	inFlight := p.sent - p.acked
	switch p.phase {
	case phaseDrain:
		if inFlight <= uint64(p.holds()+p.held()) {
			p.phase = phaseCruise
		}
	case phaseCruise:
		if p.roundTrip.expired(now) {
			p.startDip(0)
		}
	case phaseDip:
		switch {
		case p.dip.ends.IsZero() && inFlight <= uint64(p.limit()):
			p.dip.ends = now.Add(max(p.roundTrip.least, minDip))
			p.dip.again = 0 // queues are empty only now
		case !p.dip.ends.IsZero() && now.After(p.dip.ends):
			p.endDip(now)
		}
	}
}

// holds returns how many bytes the path holds: rate times round trip.
func (p *path) holds() int { return int(p.rate.most * p.roundTrip.least.Seconds()) }

// limit returns how many bytes may be sent that are not acknowledged.
func (p *path) limit() int {
	if p.estimate == nil || p.rate.most == 0 {
		return min(p.initial, p.most)
	}
	rate := p.rate.most
	holds := float64(p.holds())
	late := min(rate*slack.Seconds(), p.mostSlack(holds))
	var limit float64
	switch p.phase {
	case phaseStartUp:
		limit = max(startUpGain*holds+late, float64(p.initial))
	case phaseDrain:
		limit = holds
	case phaseCruise:
		limit = cruiseGain*holds + late
	case phaseDip:
		limit = float64(p.dip.limit)
	}
	return min(int(max(limit, minLimit))+p.held(), p.most)
}

// noteSmall says that a small message is sent while large ones wait.
func (p *path) noteSmall() { p.crowded = p.sent + crowdedFor }

// mostSlack returns how many bytes may be in flight at most beyond what the path
// holds. A small message waits for all of them, where they are much more.
func (p *path) mostSlack(holds float64) float64 {
	if p.sent >= p.crowded {
		return maxSlack
	}
	return min(maxSlack, max(crowdedSlack, holds))
}

// maxRate is the highest rate of the last rounds, in bytes a second.
type maxRate struct {
	rounds [8]float64 // the highest of each round
	newest int
	most   float64 // of all
}

// nextRound begins a round.
func (r *maxRate) nextRound() {
	r.newest = (r.newest + 1) % len(r.rounds)
	r.rounds[r.newest] = 0
	r.most = 0
	for _, rate := range r.rounds {
		r.most = max(r.most, rate)
	}
}

// add adds a sample.
func (r *maxRate) add(rate float64) {
	r.rounds[r.newest] = max(r.rounds[r.newest], rate)
	r.most = max(r.most, rate)
}

// recent returns the rate of the last round.
func (r *maxRate) recent() float64 { return r.rounds[r.newest] }

// set makes rate the only one.
func (r *maxRate) set(rate float64) {
	clear(r.rounds[:])
	r.rounds[r.newest], r.most = rate, rate
}

// minRoundTrip is the shortest round trip of the last dipEvery.
type minRoundTrip struct {
	least  time.Duration // 0: none was seen
	seenAt time.Time     // when it was last as short
}

// add adds a sample.
func (r *minRoundTrip) add(now time.Time, sample time.Duration) {
	sample = max(sample, time.Microsecond)
	if r.least == 0 || sample <= r.least {
		r.least, r.seenAt = sample, now
	}
}

func (r *minRoundTrip) expired(now time.Time) bool { return now.Sub(r.seenAt) > dipEvery }

// set takes a round trip for the shortest, unless it is 0.
func (r *minRoundTrip) set(now time.Time, roundTrip time.Duration) {
	if roundTrip > 0 {
		r.least = roundTrip
	}
	r.seenAt = now
}
