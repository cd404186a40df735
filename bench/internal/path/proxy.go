package path

import (
	"context"
	"net"
	"sync"
	"time"
)

// Proxy is a path to a server.
type Proxy struct {
	path     Path
	to       string
	listener net.Listener
	start    time.Time
	up, down *direction
	running  sync.WaitGroup
	ctx      context.Context // ends when the proxy is closed
	cancel   context.CancelFunc

	mu    sync.Mutex
	conns map[*conn]bool
}

// Counts is what a proxy has carried.
type Counts struct{ Up, Down Count }

// Listen starts a proxy on a free port of the loopback interface. Connections
// to it lead to the server at an address.
func Listen(p Path, to string) (*Proxy, error) {
	x := &Proxy{path: p, to: to, start: time.Now(), conns: make(map[*conn]bool)}
	x.up, x.down = newDirection(p, p.Up), newDirection(p, p.Down)
	config := net.ListenConfig{Control: control(p.Up)}
	ln, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x.listener = ln
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.running.Go(x.accept)
	return x, nil
}

func newDirection(p Path, rate Rate) *direction {
	return &direction{bottleneck: bottleneck{rate: rate, queue: p.queue()}, delay: p.RoundTrip / 2}
}

// Addr is where clients connect to.
func (x *Proxy) Addr() string { return x.listener.Addr().String() }

// Counts returns what went over all connections so far.
func (x *Proxy) Counts() Counts { return Counts{Up: x.up.count(), Down: x.down.count()} }

// Cut resets all connections, at both ends at once. What is on its way is lost.
// It returns how many connections there were.
func (x *Proxy) Cut() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	for c := range x.conns {
		c.sever()
	}
	return len(x.conns)
}

// Close ends the proxy and resets its connections.
func (x *Proxy) Close() error {
	x.cancel()
	err := x.listener.Close()
	x.Cut()
	x.running.Wait()
	return err
}

func (x *Proxy) accept() {
	for {
		client, err := x.listener.Accept()
		if err != nil {
			return // closed
		}
		c := &conn{client: client, done: make(chan struct{})}
		x.mu.Lock()
		x.conns[c] = true
		x.mu.Unlock()
		if x.ctx.Err() != nil {
			c.sever() // Close may have missed it
		}
		x.running.Go(func() {
			x.carry(c)
			c.end(closeConn)
			x.mu.Lock()
			delete(x.conns, c)
			x.mu.Unlock()
		})
	}
}

// carry carries both directions until they have ended. It connects to the
// server half a round trip after the client has connected, when the client's
// first bytes may arrive.
func (x *Proxy) carry(c *conn) {
	up, down := x.newPump(x.up, c), x.newPump(x.down, c)
	up.from, down.to = c.client, c.client
	var running sync.WaitGroup
	defer func() {
		running.Wait()
		up.settle()
		down.settle()
	}()
	running.Go(up.read)
	if !up.sleep(up.delay) {
		return
	}
	dialer := net.Dialer{Control: control(x.path.Down)}
	server, err := dialer.DialContext(x.ctx, "tcp", x.to)
	if err != nil {
		c.sever()
		return
	}
	if !c.connected(server) {
		return
	}
	up.to, down.from = server, server
	running.Go(up.write)
	running.Go(down.read)
	running.Go(down.write)
}

func (x *Proxy) newPump(d *direction, c *conn) *pump {
	return &pump{direction: d, start: x.start, done: c.done, sever: c.sever, queue: newDelayQueue(d.inFlight(d.delay))}
}

// conn is a connection of a client and, once there is one, that to the server.
type conn struct {
	client net.Conn
	done   chan struct{} // closed when it has ended

	mu     sync.Mutex
	server net.Conn
	ended  bool
}

// connected adds the connection to the server, and reports whether it is
// wanted.
func (c *conn) connected(server net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		_ = server.Close()
		return false
	}
	c.server = server
	return true
}

// sever resets both connections.
func (c *conn) sever() { c.end(abort) }

// end ends both connections, unless they have ended already.
func (c *conn) end(how func(net.Conn)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	close(c.done)
	how(c.client)
	if c.server != nil {
		how(c.server)
	}
}
