package rpc

import (
	"sync"
	"time"
)

// pace spreads handshakes over time. Each takes as much of a processor as dozens of
// calls do: when all clients come at once, after a deploy say, or an attacker comes
// again and again, those who are connected do not wait for them.
type pace struct {
	mu   sync.Mutex
	next time.Time // when it is the turn of the next; in the past: at once
}

// paceBurst is how much time of handshakes may come at once after a pause.
const paceBurst = 20 * time.Millisecond

// turn returns how long a handshake has to wait, of which there may be perSecond. A
// wait of more than most is refused, and takes no turn.
func (p *pace) turn(now time.Time, perSecond int, most time.Duration) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if earliest := now.Add(-paceBurst); p.next.Before(earliest) {
		p.next = earliest
	}
	wait = max(0, p.next.Sub(now))
	if wait > most {
		return 0, false
	}
	p.next = p.next.Add(time.Second / time.Duration(perSecond))
	return wait, true
}
