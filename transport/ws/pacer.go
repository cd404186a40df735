package ws

import (
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const (
	// youngTime is how long a connection counts as young, at most. A client
	// that sends its request slowly, or not at all, delays others by no more.
	youngTime = 5 * time.Millisecond
	// youngPerProcessor is how many connections are young at a time. All that
	// are young at once run before the goroutines that become ready next.
	youngPerProcessor = 2
	// maxUnserved is how many accepted connections wait to be served.
	maxUnserved = 1024
)

// Pace returns a listener from which srv takes new connections a few at a time,
// and from each address in turn. Pass it to srv.Serve or srv.ServeTLS.
//
// Without it, net/http serves all new connections at once: while a thousand
// clients connect, calls on connections that are open wait for all of them. A
// connection is new until it has been upgraded, has had its first response, has
// been closed, or 5 ms have passed. Up to 1,024 connections wait here, and the
// rest with the kernel.
//
// Pace sets srv.ConnState, and calls the function that was there.
func Pace(srv *http.Server, ln net.Listener) net.Listener {
	p := &pacer{
		Listener: ln,
		most:     youngPerProcessor * runtime.GOMAXPROCS(0),
		young:    make(map[net.Conn]*time.Timer),
		unserved: unserved{byHost: make(map[string]*hostQueue)},
		changed:  make(chan struct{}, 1),
		failed:   make(chan error),
		room:     make(chan struct{}, 1),
		closed:   make(chan struct{}),
	}
	next := srv.ConnState
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked || state == http.StateIdle || state == http.StateClosed {
			p.release(socketOf(c))
		}
		if next != nil {
			next(c, state)
		}
	}
	return p
}

// socketOf returns the connection that carries TLS, or c.
func socketOf(c net.Conn) net.Conn {
	if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
		return secure.NetConn()
	}
	return c
}

// pacer is a listener of Pace.
type pacer struct {
	net.Listener
	most int // young connections

	start   sync.Once
	stop    sync.Once
	changed chan struct{} // holds a value when Accept should look again
	failed  chan error    // of the underlying Accept
	room    chan struct{} // holds a value when one more may wait
	closed  chan struct{}

	mu       sync.Mutex
	young    map[net.Conn]*time.Timer // ends the youth of each
	unserved unserved
}

// Accept waits for a connection whose turn it is.
func (p *pacer) Accept() (net.Conn, error) {
	p.start.Do(func() { go p.acceptAll() })
	for {
		if c := p.take(); c != nil {
			return c, nil
		}
		select {
		case <-p.changed:
		case err := <-p.failed:
			return nil, err
		case <-p.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close closes the listener and the connections that Accept has not returned.
func (p *pacer) Close() error {
	err := p.Listener.Close()
	p.stop.Do(func() {
		close(p.closed)
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := p.unserved.next(); c != nil; c = p.unserved.next() {
			_ = c.Close() // it was not used
		}
	})
	return err
}

// acceptAll accepts connections until the listener is closed.
func (p *pacer) acceptAll() {
	for {
		c, err := p.Listener.Accept()
		if err == nil {
			p.add(c)
			continue
		}
		select {
		case p.failed <- err: // the server decides whether to go on
		case <-p.closed:
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// add queues an accepted connection, and waits until there is room for another.
func (p *pacer) add(c net.Conn) {
	full, ok := p.enter(c)
	if !ok {
		_ = c.Close() // it was not used
		return
	}
	p.wake()
	if !full {
		runtime.Gosched() // open connections have their turn between two new ones
		return
	}
	select {
	case <-p.room:
	case <-p.closed:
	}
}

// enter queues a connection. It reports false if the listener is closed.
func (p *pacer) enter(c net.Conn) (full, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
		return false, false // Close would not see it
	default:
	}
	p.unserved.add(c)
	return p.unserved.len >= maxUnserved, true
}

// take returns the next connection, if one more may be young.
func (p *pacer) take() net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.young) >= p.most {
		return nil
	}
	full := p.unserved.len >= maxUnserved
	c := p.unserved.next()
	if full {
		signal(p.room)
	}
	if c != nil {
		p.young[c] = time.AfterFunc(youngTime, func() { p.release(c) })
	}
	return c
}

// release ends the youth of a connection.
func (p *pacer) release(c net.Conn) {
	p.mu.Lock()
	timer := p.young[c]
	delete(p.young, c)
	p.mu.Unlock()
	if timer != nil {
		timer.Stop()
		p.wake()
	}
}

func (p *pacer) wake() { signal(p.changed) }

// signal leaves a value in a channel that holds one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
