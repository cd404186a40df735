package faulty

import (
	"net"
	"time"
)

// readSize is how many bytes are read at once.
const readSize = 16 << 10

// wireRoom is how many reads a wire holds: 64 MiB, more than a session has in
// flight.
const wireRoom = 4096

// onWire is data on its way, which arrives at a time.
type onWire struct {
	data    []byte
	arrives time.Time
}

// pumpLate forwards one direction of a connection whose proxy has a delay.
func (c *conn) pumpLate(dst, src *net.TCPConn, d direction) {
	wire := make(chan onWire, wireRoom)
	go func() {
		defer close(wire)
		for {
			buf := make([]byte, readSize)
			n, err := src.Read(buf)
			if err != nil {
				return
			}
			c.onTheWay[d].Add(int64(n))
			wire <- onWire{buf[:n], time.Now().Add(c.proxy.delay)}
		}
	}()
	for w := range wire {
		c.wait(time.Until(w.arrives))
		c.onTheWay[d].Add(-int64(len(w.data)))
		c.pass(dst, w.data, d) // drops it if the connection has ended
	}
}
