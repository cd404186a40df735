package faulty

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection through the proxy: a socket on each side.
type conn struct {
	proxy          *Proxy
	client, server *net.TCPConn
	ended          chan struct{}   // closed by close
	onTheWay       [2]atomic.Int64 // bytes in a wire
	once           sync.Once

	mu    sync.Mutex
	plan  *plan
	ahead int64 // bytes to forward in the plan's direction before the fault
	drops [2]bool
	late  [2]time.Duration
}

func newConn(p *Proxy, client, server *net.TCPConn) *conn {
	return &conn{proxy: p, client: client, server: server, ended: make(chan struct{})}
}

// expect plans a fault.
func (c *conn) expect(p plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plan, c.ahead = &p, p.after
}

// run forwards until both sides have ended.
func (c *conn) run() {
	var upward sync.WaitGroup
	upward.Go(func() { c.pump(c.server, c.client, up) })
	c.pump(c.client, c.server, down)
	upward.Wait()
	c.close()
}

// close ends both sides.
func (c *conn) close() {
	c.once.Do(func() {
		close(c.ended)
		_ = c.client.Close()
		_ = c.server.Close()
	})
}

func (c *conn) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// pump forwards one direction.
func (c *conn) pump(dst, src *net.TCPConn, d direction) {
	if c.proxy.path.Delay > 0 {
		c.pumpLate(dst, src, d)
	} else {
		c.pumpNow(dst, src, d)
	}
	c.mu.Lock()
	dropped := c.drops[d]
	c.mu.Unlock()
	if !dropped {
		_ = dst.CloseWrite() // fails if the other side is gone
	}
}

func (c *conn) pumpNow(dst, src *net.TCPConn, d direction) {
	buf := make([]byte, readSize)
	for {
		n, err := src.Read(buf)
		c.pass(dst, buf[:n], d)
		if err != nil {
			return
		}
	}
}

// pass forwards data up to the next fault, makes it happen, and continues with
// the rest.
func (c *conn) pass(dst *net.TCPConn, data []byte, d direction) {
	for {
		part, due := c.take(data, d)
		c.write(dst, part, d)
		data = data[len(part):]
		if due != nil && c.proxy.happens(c, due.kind) {
			c.strike(due)
		}
		if len(data) == 0 {
			return
		}
	}
}

// take returns how much of data passes before the next fault, and the fault if
// it is reached.
func (c *conn) take(data []byte, d direction) (part []byte, due *plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plan == nil || c.plan.direction != d {
		return data, nil
	}
	if int64(len(data)) < c.ahead {
		c.ahead -= int64(len(data))
		return data, nil
	}
	part, due = data[:c.ahead], c.plan
	c.plan = nil
	return part, due
}

func (c *conn) write(dst *net.TCPConn, data []byte, d direction) {
	c.mu.Lock()
	dropped, late := c.drops[d], c.late[d]
	c.mu.Unlock()
	if dropped || len(data) == 0 {
		return
	}
	c.wait(late)
	n, err := dst.Write(data)
	c.proxy.bytes.Add(int64(n))
	if err == nil {
		return
	}
	c.mu.Lock()
	half := c.drops[0] || c.drops[1]
	if half {
		c.drops[d] = true // the sender does not learn of it: its packets get no answer
	}
	c.mu.Unlock()
	if !half {
		c.close()
	}
}

// wait waits for d, or until the connection ends.
func (c *conn) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ended:
	}
}

// drop makes the connection a black hole.
func (c *conn) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops = [2]bool{true, true}
}

// speedUp ends the delays of earlier faults.
func (c *conn) speedUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.late[:])
}

// strike makes a fault happen. It runs on the goroutine of the fault's
// direction.
func (c *conn) strike(p *plan) {
	switch p.kind {
	case Cut:
		c.close()
	case Reset:
		_ = c.client.SetLinger(0)
		_ = c.server.SetLinger(0)
		c.close()
	case HalfOpen, BlackHole:
		if p.kind == BlackHole {
			c.drop()
			return
		}
		c.mu.Lock()
		c.drops[p.direction] = true
		c.mu.Unlock()
	case Stall:
		c.wait(p.pause)
	case Delay:
		c.mu.Lock()
		c.late[p.direction] = p.pause
		c.mu.Unlock()
	}
}
