package cluster

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"
)

// Bounds of what a MemoryBus holds for one subscription whose receive runs.
const (
	memoryQueueMessages = 4096
	memoryQueueBytes    = 8 << 20
	memoryQueueTimeout  = 50 * time.Millisecond // a publisher waits this long for room
)

// MemoryBus is a LogBus within one process. It has no goroutine: the goroutine
// that publishes a message calls the functions that receive it, unless they run
// already. Then the message is queued.
//
// The queue of a subscription is bounded. If it stays full for 50 ms, the
// message is lost to that subscription, and OnChange tells the subject.
//
// Logs are lost with the process. All logs together hold at most 256 MiB. There
// are at most 16,384 logs. Beyond either, the one that was appended to least
// recently goes.
type MemoryBus struct {
	mu       sync.Mutex
	isCut    bool
	subs     map[string][]*memorySubscription
	watchers []*memoryWatcher
	logs     map[string]*memoryLog
	order    list.List // of *memoryLog, the one that was appended to last in front
	logBytes int
}

// NewMemoryBus returns a bus for the nodes of one process.
func NewMemoryBus() *MemoryBus {
	return &MemoryBus{subs: make(map[string][]*memorySubscription), logs: make(map[string]*memoryLog)}
}

// memorySubscription is a subscription of a MemoryBus. The fields below bus are
// guarded by bus.mu.
type memorySubscription struct {
	bus     *MemoryBus
	subject string
	receive func(BusMessage)

	queue   []BusMessage
	bytes   int           // in queue
	running bool          // a goroutine delivers the queue
	closed  bool          // receive is not called again
	room    chan struct{} // closed when the queue has become shorter; nil: no publisher waits
}

// memoryWatcher is a function of OnChange.
type memoryWatcher struct{ changed func(BusChange) }

// Publish implements Bus.
func (b *MemoryBus) Publish(subject string, data []byte) error {
	_, err := b.publish(subject, BusMessage{Data: data})
	return err
}

// publish queues a message for all subscriptions of a subject, then delivers
// what is queued. The first step is atomic, so that all subscriptions get the
// messages in the same order, even if a receive publishes.
func (b *MemoryBus) publish(subject string, m BusMessage) (subscribers int, err error) {
	if err := CheckSubject(subject); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if b.isCut {
		b.mu.Unlock()
		return 0, ErrBusUnavailable
	}
	if len(b.subs[subject]) == 0 {
		b.mu.Unlock()
		return 0, nil
	}
	b.waitForRoom(subject, len(m.Data))
	m.Data = bytes.Clone(m.Data)
	subs, lost := b.subs[subject], false
	for _, s := range subs {
		lost = !s.enqueue(m) || lost
	}
	// A slice of subscriptions is replaced, never changed.
	b.mu.Unlock()
	for _, s := range subs {
		s.deliver()
	}
	if lost {
		b.tell(BusChange{Available: true, Lost: true, LostSubjects: []string{subject}})
	}
	return len(subs), nil
}

// waitForRoom waits until all subscriptions of a subject have room for a
// message, or the time for that has passed. b.mu is held, but not while it
// waits.
func (b *MemoryBus) waitForRoom(subject string, size int) {
	var timeout <-chan time.Time
	for {
		i := slices.IndexFunc(b.subs[subject], func(s *memorySubscription) bool { return !s.hasRoom(size) })
		if i < 0 {
			return
		}
		s := b.subs[subject][i]
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		b.mu.Unlock()
		if timeout == nil {
			timer := time.NewTimer(memoryQueueTimeout)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-room:
			b.mu.Lock()
		case <-timeout:
			b.mu.Lock()
			return
		}
	}
}

// hasRoom reports whether a message fits into the queue. An empty queue takes
// any.
func (s *memorySubscription) hasRoom(size int) bool {
	return len(s.queue) == 0 || len(s.queue) < memoryQueueMessages && s.bytes+size <= memoryQueueBytes
}

// enqueue adds a message to the queue, and reports whether it had room.
func (s *memorySubscription) enqueue(m BusMessage) bool {
	if !s.hasRoom(len(m.Data)) {
		return false
	}
	s.queue = append(s.queue, m)
	s.bytes += len(m.Data)
	return true
}

// deliver calls receive with what is queued, unless another call of deliver
// does.
func (s *memorySubscription) deliver() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if s.running {
		return
	}
	s.running = true
	for len(s.queue) > 0 && !s.closed {
		m := s.queue[0]
		s.queue[0] = BusMessage{}
		s.queue = s.queue[1:]
		s.bytes -= len(m.Data)
		s.tellRoom()
		s.bus.mu.Unlock()
		s.receive(m)
		s.bus.mu.Lock()
	}
	s.running, s.queue = false, nil
}

func (s *memorySubscription) tellRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// Subscribe implements Bus.
func (b *MemoryBus) Subscribe(subject string, receive func(BusMessage)) (BusSubscription, error) {
	if err := CheckSubject(subject); err != nil {
		return nil, err
	}
	s := &memorySubscription{bus: b, subject: subject, receive: receive}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[subject] = append(slices.Clip(b.subs[subject]), s)
	return s, nil
}

// Close implements BusSubscription.
func (s *memorySubscription) Close() error {
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	s.closed, s.queue, s.bytes = true, nil, 0
	s.tellRoom()
	rest := slices.DeleteFunc(slices.Clone(b.subs[s.subject]), func(other *memorySubscription) bool { return other == s })
	if len(rest) > 0 {
		b.subs[s.subject] = rest
	} else {
		delete(b.subs, s.subject)
	}
	return nil
}

// Request implements Bus.
func (b *MemoryBus) Request(ctx context.Context, subject string, data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		replies := make(chan []byte, memoryReplies)
		reply := func(data []byte) error {
			select {
			case replies <- bytes.Clone(data):
				return nil
			default:
				return errTooManyReplies
			}
		}
		subscribers, err := b.publish(subject, BusMessage{Data: data, Reply: reply})
		if err == nil && subscribers == 0 {
			err = ErrNoSubscribers
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for {
			select {
			case data := <-replies:
				if !yield(data, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// memoryReplies is how many replies to a request wait for the one that made it.
const memoryReplies = 1024

var errTooManyReplies = errors.New("cluster: too many replies to one request")

// Available implements Bus.
func (b *MemoryBus) Available() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.isCut
}

// OnChange implements Bus. A MemoryBus is always available; messages may be lost
// to a subscription whose queue is full.
func (b *MemoryBus) OnChange(f func(BusChange)) (stop func()) {
	w := &memoryWatcher{f}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(slices.Clip(b.watchers), w)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(slices.Clone(b.watchers), func(other *memoryWatcher) bool { return other == w })
	}
}

// tell calls the functions of OnChange.
func (b *MemoryBus) tell(change BusChange) {
	b.mu.Lock()
	watchers := b.watchers
	b.mu.Unlock()
	for _, w := range watchers {
		w.changed(change)
	}
}

// change makes tests cut the bus and repair it.
func (b *MemoryBus) change(c BusChange) {
	b.mu.Lock()
	changed := b.isCut == c.Available
	b.isCut = !c.Available
	for _, l := range b.logs {
		l.tell() // readers end
	}
	b.mu.Unlock()
	if changed {
		b.tell(c)
	}
}
