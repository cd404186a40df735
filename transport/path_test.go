package transport

import (
	"container/heap"
	"slices"
	"testing"
	"time"
)

// pathModel is a network path in virtual time, with a sender that always has
// more to send and a receiver that acknowledges as this package does.
type pathModel struct {
	roundTrip time.Duration
	rate      float64       // bytes a second
	piece     int           // bytes of a message of the link
	ackBytes  int           // that the receiver acknowledges at once
	ackDelay  time.Duration // after which it acknowledges fewer

	path   *path
	now    time.Time
	events eventHeap
	free   time.Time // when the bottleneck has sent what it has

	unacked  int // bytes that the receiver has not acknowledged
	received int // bytes
	ackDue   bool
	delays   []time.Duration // of what was sent, in the bottleneck
}

// event is something that happens at a time.
type event struct {
	at time.Time
	do func()
}

type eventHeap []event

func (h eventHeap) Len() int           { return len(h) }
func (h eventHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h eventHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)        { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func newPathModel(roundTrip time.Duration, rate float64) *pathModel {
	return &pathModel{
		roundTrip: roundTrip, rate: rate, piece: 32 << 10, ackBytes: ackBytes, ackDelay: ackSoon,
		path: &path{initial: 1 << 20, most: 32 << 20},
		now:  time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (m *pathModel) after(d time.Duration, do func()) {
	heap.Push(&m.events, event{m.now.Add(d), do})
}

// run lets d pass.
func (m *pathModel) run(d time.Duration) {
	end := m.now.Add(d)
	m.send()
	for len(m.events) > 0 && !m.events[0].at.After(end) {
		e := heap.Pop(&m.events).(event)
		m.now = e.at
		e.do()
	}
	m.now = end
}

// send sends as much as the limit allows.
func (m *pathModel) send() {
	for int(m.path.sent-m.path.acked)+m.piece <= m.path.limit() {
		m.put(m.piece, false)
	}
}

// put sends a message of the link.
func (m *pathModel) put(n int, limited bool) {
	if m.path.wantsMark(n) {
		m.path.sendMarked(m.now, n, limited)
	} else {
		m.path.send(n)
	}
	if m.free.Before(m.now) {
		m.free = m.now
	}
	m.free = m.free.Add(time.Duration(float64(n) / m.rate * float64(time.Second)))
	m.delays = append(m.delays, m.free.Sub(m.now))
	m.after(m.free.Sub(m.now)+m.roundTrip/2, func() { m.arrive(n) })
}

// arrive is what the receiver does.
func (m *pathModel) arrive(n int) {
	m.received += n
	m.unacked += n
	switch {
	case m.unacked >= m.ackBytes:
		m.acknowledge()
	case !m.ackDue:
		m.ackDue = true
		m.after(m.ackDelay, func() { m.ackDue = false; m.acknowledge() })
	}
}

func (m *pathModel) acknowledge() {
	n := m.unacked
	m.unacked = 0
	if n == 0 {
		return
	}
	m.after(m.roundTrip/2, func() {
		if m.path.hasMarks() {
			m.path.ackMarked(m.now, n)
		} else {
			m.path.ack(n)
		}
		m.send()
	})
}

// queued returns the median of the delays in the bottleneck over d.
func (m *pathModel) queued(d time.Duration) time.Duration {
	m.delays = nil
	m.run(d)
	slices.Sort(m.delays)
	return m.delays[len(m.delays)/2]
}

// share is which part of the link was used over d.
func (m *pathModel) share(d time.Duration) float64 {
	before := m.received
	m.run(d)
	return float64(m.received-before) / d.Seconds() / m.rate
}

const megabit = 1e6 / 8

// observed is how long a path is watched: long enough for dips, and shorter
// where that takes millions of messages.
func observed(rate float64) time.Duration {
	if rate > 100*megabit {
		return 2 * time.Second
	}
	return 3 * dipEvery
}

var modelPaths = []struct {
	name      string
	roundTrip time.Duration
	rate      float64
}{
	{"20ms-50Mbit", 20 * time.Millisecond, 50 * megabit},
	{"30ms-1Gbit", 30 * time.Millisecond, 1000 * megabit},
	{"100ms-100Mbit", 100 * time.Millisecond, 100 * megabit},
	{"200ms-200Mbit", 200 * time.Millisecond, 200 * megabit},
	{"300ms-10Mbit", 300 * time.Millisecond, 10 * megabit},
	{"300ms-50Mbit", 300 * time.Millisecond, 50 * megabit},
	{"5ms-10Gbit", 5 * time.Millisecond, 10000 * megabit},
}

func TestPathIsFilledAndItsQueueStaysShort(t *testing.T) {
	for _, c := range modelPaths {
		t.Run(c.name, func(t *testing.T) {
			m := newPathModel(c.roundTrip, c.rate)
			m.run(3*time.Second + 20*c.roundTrip) // start-up and drain
			if share := m.share(observed(c.rate)); share < 0.96 {
				t.Errorf("%.3f of the link is used, want 0.96", share)
			}
			piece := time.Duration(float64(m.piece) / c.rate * float64(time.Second))
			if queued, most := m.queued(observed(c.rate)), c.roundTrip/8+slack+2*piece; queued > most {
				t.Errorf("%v in the bottleneck's queue, want %v at most", queued, most)
			}
			t.Logf("limit %d KiB, holds %d KiB", m.path.limit()>>10, m.path.holds()>>10)
		})
	}
}

func TestStartUpFillsThePathInAFewRoundTrips(t *testing.T) {
	m := newPathModel(100*time.Millisecond, 1e9)
	m.run(450 * time.Millisecond) // round trips after the first data has been sent: they have been delivered
	if m.received < 16<<20 {
		t.Errorf("%d bytes after 4.5 round trips, want 16 MiB", m.received)
	}
}

func TestRateThatChangesIsFollowed(t *testing.T) {
	m := newPathModel(100*time.Millisecond, 100*megabit)
	m.run(5 * time.Second)
	m.rate = 400 * megabit
	m.run(3 * time.Second) // grows by 6 % and the slack in each round
	if share := m.share(5 * time.Second); share < 0.9 {
		t.Errorf("%.2f of the faster link is used", share)
	}
	m.rate = 50 * megabit
	m.run(6 * time.Second) // the queue that there is then has to drain, too
	share, queued := m.share(5*time.Second), m.queued(5*time.Second)
	if share < 0.9 || queued > 40*time.Millisecond {
		t.Errorf("%.2f of the slower link is used, with a queue of %v", share, queued)
	}
}

func TestRoundTripThatChangesIsFollowed(t *testing.T) {
	m := newPathModel(50*time.Millisecond, 100*megabit)
	m.run(5 * time.Second)
	m.roundTrip = 150 * time.Millisecond
	m.run(2 * dipEvery) // until then the shorter one counts
	if share := m.share(5 * time.Second); share < 0.9 {
		t.Errorf("%.2f of the longer path is used", share)
	}
	m.roundTrip = 20 * time.Millisecond
	m.run(2 * dipEvery) // the queue that takes the place of the longer path stays until then
	if queued := m.queued(5 * time.Second); queued > 25*time.Millisecond {
		t.Errorf("a queue of %v on the shorter path", queued)
	}
}

func TestSmallMessagesLowerTheLimitOfAShortPath(t *testing.T) {
	m := newPathModel(100*time.Microsecond, 1e9)
	m.run(time.Second)
	p := m.path
	alone := p.limit()
	p.noteSmall()
	if beside := p.limit(); alone < maxSlack || beside > 4*crowdedSlack || beside < crowdedSlack {
		t.Errorf("the limit is %d, beside small messages %d", alone, beside)
	}
	if p.send(crowdedFor); p.limit() != alone {
		t.Error("the limit stays low long after the last small message")
	}
}

func TestSmallMessagesDoNotLowerTheLimitOfALongPath(t *testing.T) {
	for _, c := range modelPaths {
		m := newPathModel(c.roundTrip, c.rate)
		m.run(3*time.Second + 20*c.roundTrip)
		alone := m.path.limit()
		if m.path.noteSmall(); m.path.limit() != alone {
			t.Errorf("%s: the limit is %d, beside small messages %d", c.name, alone, m.path.limit())
		}
	}
}

// A peer of version 0.1 acknowledges after a quarter of replay_limit or half a
// second.
func TestPathIsFilledToAPeerThatAcknowledgesRarely(t *testing.T) {
	for _, c := range modelPaths {
		t.Run(c.name, func(t *testing.T) {
			m := newPathModel(c.roundTrip, c.rate)
			m.ackBytes, m.ackDelay = 256<<10, ackDelay
			m.run(observed(c.rate))
			fixed := min(1, float64(1<<20)/(c.roundTrip.Seconds()*c.rate)) // as it was with 1 MiB in flight
			share := m.share(observed(c.rate))
			t.Logf("%.2f of the link, before %.2f; limit %d KiB, queue %v", share, fixed, m.path.limit()>>10, m.queued(observed(c.rate)))
			if share < 0.8*fixed {
				t.Errorf("%.3f of the link is used, want %.3f", share, 0.8*fixed)
			}
		})
	}
}

func TestPathKeepsNoEstimateForLittleInFlight(t *testing.T) {
	p := path{initial: 1 << 20, most: 32 << 20}
	for range 1000 {
		if p.wantsMark(100) {
			t.Fatal("100 bytes in flight make a mark")
		}
		p.send(100)
		if p.hasMarks() {
			t.Fatal("nothing in flight teaches something")
		}
		p.ack(100)
	}
	if p.estimate != nil || p.limit() != p.initial {
		t.Fatalf("estimate %v, limit %d", p.estimate, p.limit())
	}
	p.sendMarked(time.Now(), markEvery, false)
	if p.estimate == nil || !p.hasMarks() {
		t.Error("no estimate for much in flight")
	}
	if p.restart(0); p.estimate != nil || p.hasMarks() {
		t.Error("a new link has the estimate of the old one")
	}
}
