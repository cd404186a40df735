package transport

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

// crowd is an outbox, and streams that always have a message to send. It runs on
// the test's goroutine, which is the writer and the peer too.
type crowd struct {
	t       *testing.T
	o       *outbox
	a       *attachment
	streams []*member
	sent    uint64 // sequenced frames at the peer
}

// member is a stream of a crowd.
type member struct {
	id    uint64
	size  int // bytes of its messages
	turn  turn
	wait  *waiter
	puts  int // messages that were queued
	wakes int // how often it had to wait
	taken int // bytes that the peer has
}

func newCrowd(t *testing.T, p Parameters, sizes ...int) *crowd {
	p.MaxStreams = max(16, len(sizes))
	p, err := p.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, o: newOutbox(&Config{Parameters: p, OnDetached: func(*Session, error) {}}, Dialer), a: &attachment{writer: func() {}}}
	if !c.o.replay.enabled {
		t.Fatal("the session does not resume")
	}
	c.o.writer = c.a
	for i, size := range sizes {
		c.streams = append(c.streams, &member{id: uint64(2*i + 1), size: size})
	}
	return c
}

// offer has a stream send a message, unless it waits. It reports whether the
// message was queued.
func (c *crowd) offer(m *member) bool {
	c.t.Helper()
	msg := data(m.id, make([]byte, m.size))
	if m.wait != nil {
		select {
		case <-m.wait.ready:
		default:
			return false
		}
		if _, err := c.o.putGranted(m.wait, &m.turn, msg); err != nil {
			c.t.Fatal(err)
		}
		m.wait = nil
		m.puts++
		return true
	}
	p, err := c.o.put(viaWriter, &m.turn, msg)
	if err != nil {
		c.t.Fatal(err)
	}
	if m.wait = p.wait; m.wait != nil {
		m.wakes++
		return false
	}
	m.puts++
	return true
}

// fill has all streams send as long as they can.
func (c *crowd) fill() {
	for more := true; more; {
		more = false
		for _, m := range c.streams {
			for c.offer(m) {
				more = true
			}
		}
	}
}

// write takes a batch and returns its frames.
func (c *crowd) write() (headers []frame.Header) {
	c.t.Helper()
	parts, err := c.o.take(c.a)
	if err != nil {
		c.t.Fatal(err)
	}
	all := bytes.Join(parts, nil)
	c.o.written()
	for len(all) > 0 {
		h, n, err := frame.ParseHeader(all)
		if err != nil {
			c.t.Fatal(err)
		}
		c.sent++
		if i := int(h.Stream / 2); i < len(c.streams) {
			c.streams[i].taken += n + int(h.Length)
		}
		headers = append(headers, h)
		all = all[n+int(h.Length):]
	}
	return headers
}

func (c *crowd) ack() {
	c.t.Helper()
	if !c.o.ack(c.sent) {
		c.t.Fatal("the acknowledgement is refused")
	}
}

// saturate sends n batches.
func (c *crowd) saturate(n int) {
	for range n {
		c.fill()
		c.write()
		c.ack()
	}
}

// small returns n streams with messages of 100 bytes.
func small(n int) []int {
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = 100
	}
	return sizes
}

func TestStreamsUnderFullLoadWaitOncePerQuantum(t *testing.T) {
	c := newCrowd(t, Parameters{}, small(100)...)
	c.saturate(50)
	for _, m := range c.streams {
		m.puts, m.wakes = 0, 0
	}
	c.saturate(100)
	puts, wakes := 0, 0
	for _, m := range c.streams {
		puts += m.puts
		wakes += m.wakes
	}
	if least := maxQuantum / (100 + frame.MaxHeaderLen) * 3 / 4; puts < least*wakes {
		t.Errorf("%d messages with %d waits, want %d messages for each", puts, wakes, least)
	}
}

func TestStreamsWithQuantaGetEqualShares(t *testing.T) {
	c := newCrowd(t, Parameters{}, 100, 100, 1000, 3000, 20<<10, 32<<10, 100, 500)
	c.saturate(2000)
	least, most := c.streams[0].taken, 0
	for _, m := range c.streams {
		least, most = min(least, m.taken), max(most, m.taken)
	}
	if float64(most) > 1.25*float64(least) {
		for _, m := range c.streams {
			t.Logf("messages of %d bytes: %d bytes", m.size, m.taken)
		}
		t.Errorf("one stream has sent %d bytes, another %d", least, most)
	}
}

func TestSmallCallGoesAheadOfBusyStreams(t *testing.T) {
	c := newCrowd(t, Parameters{}, small(100)...)
	c.saturate(20)
	for range 100 {
		c.fill()
		const call = 1001
		p, err := c.o.put(viaWriter, new(turn), outgoing{Header: frame.Header{Type: frame.TypeOpen, Stream: call}}, data(call, make([]byte, 100)))
		if err != nil || p.wait != nil {
			t.Fatalf("a call waits for streams: %v, %v", p.wait, err)
		}
		if first := c.write()[0]; first.Stream != call {
			t.Fatalf("the first frame is one of stream %d", first.Stream)
		}
		c.ack()
	}
}

func TestStreamThatSendsLittleGoesAheadOfBusyOnes(t *testing.T) {
	c := newCrowd(t, Parameters{}, small(100)...)
	little := &member{id: 1001, size: 100}
	for range 1000 { // it was alone, and has sent much
		c.offer(little)
		c.write()
		c.ack()
	}
	c.saturate(100)
	for range 100 {
		c.fill()
		if !c.offer(little) {
			t.Fatal("it waits for busy streams")
		}
		if first := c.write()[0]; first.Stream != little.id {
			t.Fatalf("the first frame is one of stream %d", first.Stream)
		}
		c.write()
		c.ack()
	}
}

func TestCallsDoNotStopBusyStreams(t *testing.T) {
	c := newCrowd(t, Parameters{}, small(10)...)
	c.saturate(20)
	before := c.streams[0].taken
	calls := 0
	for range 200 {
		c.fill()
		for { // as many calls as there is room for
			p, err := c.o.put(viaWriter, new(turn), data(1001, make([]byte, 100)))
			if err != nil {
				t.Fatal(err)
			}
			if p.wait != nil {
				c.o.giveUp(p.wait)
				break
			}
			calls++
		}
		c.write()
		c.ack()
	}
	if calls == 0 || c.streams[0].taken < before+50*maxQuantum/10 {
		t.Errorf("beside %d calls a stream has sent %d bytes", calls, c.streams[0].taken-before)
	}
}

func TestQuantumIsASmallPartOfTheQueue(t *testing.T) {
	for _, c := range []struct{ limit, replayLimit, want int }{
		{128 << 10, 1 << 20, maxQuantum},
		{8 << 10, 1 << 20, 1 << 10},
		{128 << 10, 64 << 10, 4 << 10},
		{1, 64 << 10, 0},
	} {
		if q := newDataQueue(c.limit, c.replayLimit); q.quantum != c.want {
			t.Errorf("%+v: %d", c, q.quantum)
		}
	}
}

// FuzzWriteQueueNeverStalls has streams of all sizes send, give up and pause, in
// queues of all sizes. The bounds hold, what was promised is room that there is,
// and when all have sent what they have, nothing waits.
func FuzzWriteQueueNeverStalls(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, uint16(1<<seed), uint8(4*seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, queue uint16, streams uint8) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		p := Parameters{WriteQueue: 1 + int(queue)*rnd.IntN(4), ReplayLimit: 64<<10 + rnd.IntN(2)*rnd.IntN(1<<20)}
		sizes := make([]int, 1+streams)
		for i := range sizes {
			sizes[i] = rnd.IntN(200)
			if rnd.IntN(10) == 0 {
				sizes[i] = rnd.IntN(maxPiece)
			}
		}
		c := newCrowd(t, p, sizes...)
		for range 2000 {
			c.doSomething(rnd)
		}
		c.drain()
	})
}

// doSomething takes one random step and checks the bounds.
func (c *crowd) doSomething(rnd *rand.Rand) {
	c.t.Helper()
	m := c.streams[rnd.IntN(len(c.streams))]
	switch rnd.IntN(20) {
	case 0:
		c.write()
	case 1:
		c.ack()
	case 2:
		if m.wait != nil {
			c.o.giveUp(m.wait)
			m.wait = nil
		}
	default:
		for range rnd.IntN(40) {
			c.offer(m)
		}
	}
	q := &c.o.data
	if most := q.limit + c.o.lightReserve() + maxPiece + frame.MaxHeaderLen; q.waitingBytes() > most || q.queued < q.waitingBytes() {
		c.t.Fatalf("%d bytes are queued, %d of them encoded, with a queue of %d", q.queued, q.waitingBytes(), q.limit)
	}
	if q.promised < 0 || q.promised > q.limit {
		c.t.Fatalf("%d bytes are promised in a queue of %d", q.promised, q.limit)
	}
}

// drain has all streams that wait send their message, and the peer acknowledge
// all. It fails if something waits for ever.
func (c *crowd) drain() {
	c.t.Helper()
	for range 10_000 {
		waiting := 0
		for _, m := range c.streams {
			if m.wait != nil && !c.offer(m) {
				waiting++
			}
		}
		if waiting == 0 && c.o.empty() && c.o.replay.size == 0 {
			if c.o.data.queued != 0 || c.o.data.largeWaiting != 0 {
				c.t.Fatalf("%d bytes and %d large frames are left over", c.o.data.queued, c.o.data.largeWaiting)
			}
			return
		}
		if !c.o.empty() {
			c.write()
		}
		c.ack()
	}
	c.t.Fatal("something waits for ever")
}
