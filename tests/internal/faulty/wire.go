package faulty

import (
	"bytes"
	"net"
	"time"
)

// Path is what lies between the two ends of a connection.
type Path struct {
	Delay time.Duration // from one end to the other
	Rate  int64         // bytes a second in each direction; 0: no bound
}

const (
	// readSize is how many bytes are read at once.
	readSize = 16 << 10
	// wireReadSize is the same where data waits in a wire.
	wireReadSize = 64 << 10
	// wireRoom is how many reads a wire holds. It is more than a session has in
	// flight, even where each read is a frame.
	wireRoom = 4096
)

// onWire is data on its way, which arrives at a time.
type onWire struct {
	data    []byte
	arrives time.Time
}

// bottleneck is where data waits for its turn. Its queue has no bound.
type bottleneck struct {
	Path
	free time.Time // when the last byte has passed
}

// pass returns when n bytes arrive that are sent now.
func (b *bottleneck) pass(now time.Time, n int) time.Time {
	if now.After(b.free) {
		b.free = now
	}
	if b.Rate > 0 {
		b.free = b.free.Add(time.Duration(n) * time.Second / time.Duration(b.Rate))
	}
	return b.free.Add(b.Delay)
}

// pumpLate forwards one direction of a connection whose path has a delay.
func (c *conn) pumpLate(dst, src *net.TCPConn, d direction) {
	wire := make(chan onWire, wireRoom)
	go func() {
		defer close(wire)
		path := bottleneck{Path: c.proxy.path}
		for buf := make([]byte, wireReadSize); ; {
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			c.onTheWay[d].Add(int64(n))
			wire <- onWire{bytes.Clone(buf[:n]), path.pass(time.Now(), n)}
		}
	}()
	for w := range wire {
		c.wait(time.Until(w.arrives))
		c.onTheWay[d].Add(-int64(len(w.data)))
		if !c.hasEnded() {
			c.pass(dst, w.data, d)
		}
	}
}
