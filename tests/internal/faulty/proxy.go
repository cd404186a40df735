package faulty

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy forwards TCP connections to a target.
type Proxy struct {
	target string
	ln     net.Listener
	most   int64 // bytes before a fault
	path   Path
	bytes  atomic.Int64
	wg     sync.WaitGroup

	mu     sync.Mutex
	rand   *rand.Rand
	conns  map[*conn]struct{}
	left   int // faults that are still to break a connection
	spent  chan struct{}
	counts [kinds]int
	losses []int64
	closed bool
	hole   bool // Block: all connections are black holes
}

// Listen starts a proxy on a free port of the loopback interface. It breaks
// nothing before Arm. A fault happens within the next most bytes of a
// direction.
func Listen(target string, seed uint64, most int64) (*Proxy, error) {
	return ListenFar(target, seed, most, Path{})
}

// ListenFar is like Listen, with a path between the two ends. If it has a
// delay, what is on the way when a connection breaks is lost.
func ListenFar(target string, seed uint64, most int64, path Path) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		target: target,
		ln:     ln,
		most:   most,
		path:   path,
		rand:   rand.New(rand.NewPCG(seed, 1)),
		conns:  make(map[*conn]struct{}),
	}
	p.wg.Go(p.serve)
	return p, nil
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Arm makes the proxy break n connections, beginning with the open ones. The
// channel is closed when all are broken; afterwards the proxy breaks nothing,
// and slows down nothing.
func (p *Proxy) Arm(faults int) (spent <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = faults
	p.spent = make(chan struct{})
	for c := range p.conns {
		p.planFor(c)
	}
	return p.spent
}

// planFor draws the next fault of a connection. mu is held.
func (p *Proxy) planFor(c *conn) {
	if p.left > 0 {
		c.expect(draw(p.rand, p.most))
	}
}

// happens records a fault, unless there were enough. It plans the next one for
// a connection that survives this one.
func (p *Proxy) happens(c *conn, k Kind) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || p.closed {
		return false
	}
	p.counts[k]++
	if !k.breaks() {
		p.planFor(c)
		return true
	}
	p.losses = append(p.losses, max(c.onTheWay[down].Load(), c.onTheWay[up].Load()))
	if p.left--; p.left == 0 {
		close(p.spent)
		for other := range p.conns {
			other.speedUp()
		}
	}
	return true
}

// Cut ends all open connections as a fault of that kind does, and returns how
// many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.close()
	}
	p.counts[Cut] += len(p.conns)
	return len(p.conns)
}

// Block makes the proxy drop everything, in both directions, as a network does
// that is cut in two: connections stay open, and new ones open.
func (p *Proxy) Block() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = true
	for c := range p.conns {
		c.drop()
	}
}

// Unblock ends what Block began. The connections from before end.
func (p *Proxy) Unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hole = false
	for c := range p.conns {
		c.close()
	}
}

// Broken returns how many connections were broken so far.
func (p *Proxy) Broken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken()
}

func (p *Proxy) broken() (n int) {
	for k, count := range p.counts {
		if Kind(k).breaks() {
			n += count
		}
	}
	return n
}

// Losses returns, for each connection that broke, how many bytes were on the
// way then, in the direction in which that were more.
func (p *Proxy) Losses() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.losses)
}

// Bytes returns how many bytes were forwarded, in both directions together.
func (p *Proxy) Bytes() int64 { return p.bytes.Load() }

// Report describes in one line what was broken.
func (p *Proxy) Report() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var s strings.Builder
	fmt.Fprintf(&s, "%d links broken:", p.broken())
	for k, count := range p.counts {
		fmt.Fprintf(&s, " %s %d", Kind(k), count)
	}
	return s.String()
}

// Close ends all connections and returns when all goroutines have ended.
func (p *Proxy) Close() {
	_ = p.ln.Close() // ends serve; there is nothing to lose
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		c.close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) serve() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.forward(client) })
	}
}

// dialTimeout bounds the connection to a target that does not answer.
const dialTimeout = 5 * time.Second

func (p *Proxy) forward(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, dialTimeout)
	if err != nil {
		_ = client.Close() // like a target that refuses connections
		return
	}
	c := newConn(p, client.(*net.TCPConn), server.(*net.TCPConn))
	p.mu.Lock()
	if p.closed {
		c.close()
	}
	if p.hole {
		c.drop()
	}
	p.conns[c] = struct{}{}
	p.planFor(c)
	p.mu.Unlock()
	c.run()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}
