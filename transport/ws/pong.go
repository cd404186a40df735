package ws

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// pong answers the peer's pings from a goroutine of its own, which lives as long
// as the writing takes: the reader must not wait for a peer that does not read.
// A ping that comes meanwhile replaces the one before it, as RFC 6455, section
// 5.5.3 allows, so a flood of them costs one write and one payload at a time.
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
		// Without a deadline: a write that misses one ruins the connection. The
		// reader of a connection that fails learns of it by itself.
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

// stop lets no more answers start.
func (p *pong) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// wait returns when the last answer is out, or has failed. stop comes first.
func (p *pong) wait() { p.done.Wait() }
