package rpc

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

// turns spreads handshakes over time. Each takes as much of a processor as dozens of
// calls do: when all clients come at once, after a deploy say, or an attacker comes
// again and again, connections that are open do not wait for them.
//
// While handshakes wait, each standing has its share of the turns, and within a standing
// all addresses have the same. A share that is not used is there for the others.
type handshakeQueue struct {
	interval time.Duration // from one turn to the next

	mu      sync.Mutex
	next    time.Time // of the next turn; in the past: at once
	classes [numClientClasses]classQueue
	pass    int // of the standing that had the last turn
	timer   *time.Timer
}

// standingLine is the handshakes of a standing that wait.
type classQueue struct {
	pass   int // the least has the next turn
	len    int
	byAddr map[string]*addressQueue
	order  list.List // of *addressLine, those that wait; the first has the next turn
}

// addressLine is the handshakes of an address that wait, the longest waiting first.
type addressQueue struct {
	addr    string
	place   *list.Element // in the order of the standing
	waiting list.List     // of chan struct{}, closed when it is its turn
}

const (
	// turnWait is how long a handshake waits for its turn at the most. Clients that give
	// up and come again would make the queue longer.
	maxQueueWait = time.Second
	// turnBurst is how much time of turns may be taken at once after a pause.
	maxQueueBurst = 20 * time.Millisecond
)

func newHandshakeQueue(perSecond int) *handshakeQueue {
	return &handshakeQueue{interval: time.Second / time.Duration(perSecond)}
}

// take waits for a turn. It reports false, at once where that can be known, if that would
// take more than turnWait, or if ctx ends first.
func (t *handshakeQueue) acquire(ctx context.Context, s clientClass, addr string) bool {
	t.mu.Lock()
	now := time.Now()
	t.grant(now)
	if !t.anyQueued() && !t.next.After(now) {
		t.next = t.next.Add(t.interval)
		t.mu.Unlock()
		return true
	}
	if t.estimate(now, s, addr) > maxQueueWait {
		t.mu.Unlock()
		return false
	}
	turn, leave := t.classes[s].enqueue(addr, t.pass)
	t.arm(now)
	t.mu.Unlock()

	timeout := time.NewTimer(maxQueueWait)
	defer timeout.Stop()
	select {
	case <-turn:
		return true
	case <-timeout.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-turn: // it has come meanwhile
		return true
	default:
		leave()
		return false
	}
}

// giveBack returns most of a turn: the handshake was refused, which costs little.
func (t *handshakeQueue) refund() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = t.next.Add(-t.interval * 3 / 4)
	t.grant(time.Now())
}

// estimate returns how long one more handshake would wait if no others came.
func (t *handshakeQueue) estimate(now time.Time, s clientClass, addr string) time.Duration {
	l := &t.classes[s]
	ahead := l.len
	if own := l.byAddr[addr]; own != nil {
		ahead = min(ahead, (own.waiting.Len()+1)*l.order.Len()-1)
	} else {
		ahead = min(ahead, l.order.Len())
	}
	of, all := s.share()
	if t.queued() == l.len { // no other standing waits
		of, all = 1, 1
	}
	return t.next.Sub(now) + time.Duration(ahead)*t.interval*time.Duration(all)/time.Duration(of)
}

func (t *handshakeQueue) queued() (n int) {
	for i := range t.classes {
		n += t.classes[i].len
	}
	return n
}

func (t *handshakeQueue) anyQueued() bool { return t.queued() > 0 }

// grant gives the turns that are due to handshakes that wait.
func (t *handshakeQueue) grant(now time.Time) {
	if earliest := now.Add(-maxQueueBurst); t.next.Before(earliest) {
		t.next = earliest
	}
	for !t.next.After(now) {
		var first *classQueue
		var stride int
		for s := range numClientClasses {
			if l := &t.classes[s]; l.len > 0 && (first == nil || l.pass < first.pass) {
				first, stride = l, s.stride()
			}
		}
		if first == nil {
			return
		}
		close(first.dequeue())
		t.pass = first.pass
		first.pass += stride
		t.next = t.next.Add(t.interval)
	}
	t.arm(now)
}

// arm sees to it that the next turn is granted when it is due.
func (t *handshakeQueue) arm(now time.Time) {
	if !t.anyQueued() {
		return
	}
	wait := max(t.next.Sub(now), 0)
	if t.timer != nil {
		t.timer.Reset(wait)
		return
	}
	t.timer = time.AfterFunc(wait, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.grant(time.Now())
	})
}

// join has one more handshake wait. leave takes it away before its turn.
func (l *classQueue) enqueue(addr string, pass int) (turn <-chan struct{}, leave func()) {
	if l.len == 0 {
		l.pass = max(l.pass, pass) // it has no claim to turns of the past
	}
	own := l.byAddr[addr]
	if own == nil {
		if l.byAddr == nil {
			l.byAddr = make(map[string]*addressQueue)
		}
		own = &addressQueue{addr: addr}
		own.place = l.order.PushBack(own)
		l.byAddr[addr] = own
	}
	c := make(chan struct{})
	at := own.waiting.PushBack(c)
	l.len++
	return c, func() { l.remove(own, at) }
}

// pop takes out the handshake that has the next turn.
func (l *classQueue) dequeue() chan struct{} {
	own := l.order.Front().Value.(*addressQueue)
	l.order.MoveToBack(own.place)
	return l.remove(own, own.waiting.Front())
}

func (l *classQueue) remove(own *addressQueue, at *list.Element) chan struct{} {
	l.len--
	turn := own.waiting.Remove(at).(chan struct{})
	if own.waiting.Len() == 0 {
		l.order.Remove(own.place)
		delete(l.byAddr, own.addr)
	}
	return turn
}

// standing is what a server knows of a client before it authenticates it.
type clientClass int

const (
	classKnown       clientClass = iota // it has authenticated lately, or it may have a connection to resume
	classCredentials                    // it brings credentials, or the server asks for none
	classAnonymous                      // it brings none where the server asks for some
	numClientClasses
)

// stride is how far a turn moves a standing back behind the others: the shares are as
// 16 to 4 to 1.
func (s clientClass) stride() int { return 1 << (2 * s) }

// share returns the part of the turns, as a fraction, that a standing has beside others.
func (s clientClass) share() (of, all int) { return 16 / s.stride(), 16 + 4 + 1 }

// standing returns what is known of the client of a handshake.
func (s *Server) classOf(r *http.Request, addr string) clientClass {
	credentials, brings := credentialsOf(r)
	switch {
	case Principal(r.Context()) != "", brings && s.recent.has(credentials...), ws.MayResume(r) && s.recent.has(addr):
		return classKnown
	case s.authenticate == nil, brings:
		return classCredentials
	}
	return classAnonymous
}

// credentialsOf returns what a request may be authenticated by, and whether there is any
// of it.
func credentialsOf(r *http.Request) (all []string, brings bool) {
	all = append(all, r.Header.Get("Authorization"))
	all = append(all, r.Header["Cookie"]...)
	brings = len(all) > 1 || all[0] != ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return append(all, string(r.TLS.PeerCertificates[0].Raw)), true
	}
	return all, brings
}
