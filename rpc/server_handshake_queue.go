package rpc

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rpc/parley/transport/ws"
)

// handshakeQueue spreads handshakes over time. A handshake costs as much as
// dozens of calls: when all clients connect at once, for example after a
// deploy, or an attacker connects again and again, open connections do not wait
// for them.
//
// While handshakes wait, each clientClass has its share of the rate, and within
// a class all addresses have the same share. An unused share goes to the
// others.
type handshakeQueue struct {
	interval time.Duration // between handshakes

	mu      sync.Mutex
	next    time.Time // when the next handshake is due; in the past: at once
	classes [numClientClasses]classQueue
	pass    int // of the class that was served last
	timer   *time.Timer
}

// classQueue is the waiting handshakes of a clientClass.
type classQueue struct {
	pass   int // the class with the smallest is next
	len    int
	byAddr map[string]*addressQueue
	order  list.List // of *addressQueue with waiting handshakes; the first is next
}

// addressQueue is the waiting handshakes of an address, the oldest first.
type addressQueue struct {
	addr    string
	place   *list.Element // in the order of the class
	waiting list.List     // of chan struct{}, closed to let the handshake proceed
}

const (
	// maxQueueWait is how long a handshake waits at most. Longer waits would
	// make clients give up and try again, which lengthens the queue.
	maxQueueWait = time.Second
	// maxQueueBurst is how much unused time can be made up for after a pause.
	maxQueueBurst = 20 * time.Millisecond
)

func newHandshakeQueue(perSecond int) *handshakeQueue {
	return &handshakeQueue{interval: time.Second / time.Duration(perSecond)}
}

// acquire waits until a handshake may proceed. It reports false if that takes
// longer than maxQueueWait or ctx ends first, and immediately if the wait would
// be too long.
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
	case <-turn: // it may proceed after all
		return true
	default:
		leave()
		return false
	}
}

// refund returns most of the time of a handshake: it was refused, which costs
// little.
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
	if t.queued() == l.len { // no other class waits
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

// grant lets waiting handshakes proceed that are due.
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

// arm schedules grant for the next waiting handshake.
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

// enqueue adds a handshake. leave removes it before its turn.
func (l *classQueue) enqueue(addr string, pass int) (turn <-chan struct{}, leave func()) {
	if l.len == 0 {
		l.pass = max(l.pass, pass) // a class gets no credit for time in which it was empty
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

// dequeue removes the next handshake.
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

// clientClass is what a server knows about a client before it authenticates it.
type clientClass int

const (
	classKnown       clientClass = iota // authenticated recently, or may have a connection to resume
	classCredentials                    // has credentials, or the server requires none
	classAnonymous                      // has none, although the server requires them
	numClientClasses
)

// stride is the cost of a handshake in the stride scheduling of the classes:
// their shares are 16 to 4 to 1.
func (s clientClass) stride() int { return 1 << (2 * s) }

// share returns the part of the rate, as a fraction, that a class has while
// others wait.
func (s clientClass) share() (of, all int) { return 16 / s.stride(), 16 + 4 + 1 }

// classOf returns the class of the client of a handshake.
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

// credentialsOf returns the data by which a request may be authenticated, and
// whether there is any.
func credentialsOf(r *http.Request) (all []string, brings bool) {
	all = append(all, r.Header.Get("Authorization"))
	all = append(all, r.Header["Cookie"]...)
	brings = len(all) > 1 || all[0] != ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return append(all, string(r.TLS.PeerCertificates[0].Raw)), true
	}
	return all, brings
}
