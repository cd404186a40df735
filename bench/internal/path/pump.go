package path

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Count is what went in one direction.
type Count struct {
	Entered   int64 // bytes that were read from senders
	Delivered int64 // bytes that were written to receivers
	Lost      int64 // bytes that were on their way when their connection was reset
}

// counter is a Count that grows.
type counter struct {
	entered, delivered, lost atomic.Int64
}

// count reads delivered before entered: no more is delivered than has entered.
func (c *counter) count() Count {
	return Count{Lost: c.lost.Load(), Delivered: c.delivered.Load(), Entered: c.entered.Load()}
}

// direction is one of the two of a proxy, for all of its connections.
type direction struct {
	bottleneck
	counter
	delay time.Duration
}

// pump carries one direction of a connection.
type pump struct {
	*direction
	from, to net.Conn
	start    time.Time // of the clock
	queue    *delayQueue
	done     <-chan struct{} // closed when the connection has been severed
	sever    func()          // ends the connection, both directions, with a reset

	in, out int64 // bytes so far, for read and for write
}

func (p *pump) now() time.Duration { return time.Since(p.start) }

// read reads from the sender until the stream ends.
func (p *pump) read() {
	var (
		slab  *[slabSize]byte
		used  int
		chunk = p.chunk()
		alarm = newAlarm()
	)
	defer alarm.Stop()
	for {
		if slab == nil {
			slab, used = slabs.Get().(*[slabSize]byte), 0
		}
		n, err := p.from.Read(slab[used : used+chunk])
		departs, room := p.admit(p.now(), n)
		s := segment{data: slab[used : used+n : used+n], due: departs + p.delay}
		p.entered.Add(int64(n))
		p.in += int64(n)
		used += n
		if used+chunk > slabSize {
			s.slab, slab = slab, nil
		}
		switch {
		case errors.Is(err, io.EOF):
			s.end = closed
		case err != nil:
			s.end = reset
		}
		if space := p.queue.push(s); err != nil || !p.rest(alarm, space, room) {
			return
		}
	}
}

// rest waits until there is room, both in the bottleneck's queue and for what
// is on its way. It returns false if the connection has been severed.
func (p *pump) rest(alarm *time.Timer, space bool, room time.Duration) bool {
	for !space {
		select {
		case <-p.queue.drained:
			space = p.queue.hasRoom()
		case <-p.done:
			return false
		}
	}
	wait := room - p.now()
	if wait <= 0 {
		return true
	}
	alarm.Reset(wait)
	select {
	case <-alarm.C:
		return true
	case <-p.done:
		return false
	}
}

// early is by how much a segment may be delivered before it is due: half of
// what timers are late by at most. So on average segments are on time.
const early = 500 * time.Microsecond

// batchSize is how many segments are written at once.
const batchSize = 16

// write delivers to the receiver until the stream ends.
func (p *pump) write() {
	alarm := newAlarm()
	defer alarm.Stop()
	batch := make([]segment, 0, batchSize)
	buffers := make(net.Buffers, 0, batchSize)
	for {
		var next time.Duration
		batch, next = p.queue.pop(p.now()+early, batch[:0])
		if len(batch) == 0 {
			if !p.await(alarm, next) {
				return
			}
			continue
		}
		if ended := p.deliver(batch, buffers); ended {
			return
		}
	}
}

// await waits until a segment is due, or, if next is negative, until there is
// one. It returns false if the connection has been severed.
func (p *pump) await(alarm *time.Timer, next time.Duration) bool {
	if next < 0 {
		select {
		case <-p.queue.filled:
			return true
		case <-p.done:
			return false
		}
	}
	alarm.Reset(next - p.now())
	select {
	case <-alarm.C:
		return true
	case <-p.done:
		return false
	}
}

// deliver writes a batch, and reports whether the stream has ended.
func (p *pump) deliver(batch []segment, buffers net.Buffers) (ended bool) {
	for _, s := range batch {
		if len(s.data) > 0 {
			buffers = append(buffers, s.data)
		}
	}
	n, err := buffers.WriteTo(p.to)
	p.delivered.Add(n)
	p.out += n
	if err != nil {
		p.sleep(p.delay) // the sender learns it after half a round trip
		p.sever()
		return true
	}
	for i, s := range batch {
		if s.slab != nil {
			slabs.Put(s.slab)
		}
		batch[i] = segment{}
		switch s.end {
		case closed:
			closeWrite(p.to)
			return true
		case reset:
			p.sever()
			return true
		}
	}
	return false
}

// settle counts what was lost, when read and write have returned.
func (p *pump) settle() { p.lost.Add(p.in - p.out) }

// sleep waits. It returns false if the connection has been severed.
func (p *pump) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.done:
		return false
	}
}

// newAlarm returns a timer that has not been started.
func newAlarm() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// closeWrite ends the stream to a peer.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails if the peer has left, which the other direction finds out
		return
	}
	_ = c.Close()
}
