package ws

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// pong answers the peer's pings on another goroutine, which lives as long as
// the write takes: the reader goroutine must not wait for a peer that does not
// read. A ping that arrives meanwhile replaces the one before it, as RFC 6455,
// section 5.5.3 allows. So a flood of pings costs one write and one payload at
// a time.
type pong struct {
	write func(kind int, payload []byte, deadline time.Time) error

	mu      sync.Mutex
	payload string
	pending bool
	running bool
	stopped bool

	done sync.WaitGroup
}

// answer is gorilla's ping handler. It never fails and never blocks.
func (p *pong) answer(payload string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil
	}
	p.payload, p.pending = payload, true
	if !p.running {
		p.running = true
		p.done.Go(p.run)
	}
	return nil
}

func (p *pong) run() {
	for {
		payload, ok := p.next()
		if !ok {
			return
		}
		// Without a deadline, because a write that misses its deadline breaks
		// the connection. If the connection fails, its reader gets an error
		// too.
		if p.write(websocket.PongMessage, []byte(payload), time.Time{}) != nil {
			p.stop()
		}
	}
}

func (p *pong) next() (payload string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.pending || p.stopped {
		p.running = false
		return "", false
	}
	p.pending = false
	return p.payload, true
}

// stop prevents further answers.
func (p *pong) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// wait returns when the last answer was written, or has failed. stop must be
// called first.
func (p *pong) wait() { p.done.Wait() }
