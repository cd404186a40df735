package cluster

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// fakeHub is what the buses of several nodes have in common.
type fakeHub struct {
	mu        sync.Mutex
	buses     []*fakeBus
	published map[string]int // messages by subject
	lose      string         // messages of this subject are lost
}

// fakeBus is the bus of one node: it may be cut, and the node frozen.
type fakeBus struct {
	hub   *fakeHub
	ended chan struct{}
	wake  chan struct{}

	mu      sync.Mutex
	cut     bool
	thawed  chan struct{} // nil: not frozen
	subs    []*fakeSub
	inbox   []fakeDelivery
	changes map[int]func(BusChange)
	nextID  int
}

type fakeSub struct {
	bus     *fakeBus
	subject string
	receive func(BusMessage)
	closed  atomic.Bool
}

type fakeDelivery struct {
	sub     *fakeSub
	message BusMessage
}

func newFakeHub() *fakeHub { return &fakeHub{published: make(map[string]int)} }

// bus returns the bus of another node. The test ends it.
func (h *fakeHub) bus(tb testing.TB) *fakeBus {
	b := &fakeBus{hub: h, ended: make(chan struct{}), wake: make(chan struct{}, 1), changes: make(map[int]func(BusChange))}
	h.mu.Lock()
	h.buses = append(h.buses, b)
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.run()
	}()
	tb.Cleanup(func() {
		b.thaw()
		close(b.ended)
		<-done
	})
	return b
}

func (b *fakeBus) run() {
	for {
		select {
		case <-b.wake:
		case <-b.ended:
			return
		}
		for {
			b.running()
			b.mu.Lock()
			inbox := b.inbox
			b.inbox = nil
			b.mu.Unlock()
			if len(inbox) == 0 {
				break
			}
			for _, d := range inbox {
				if b.running(); !d.sub.closed.Load() {
					d.sub.receive(d.message)
				}
			}
		}
	}
}

// running waits while the node is frozen.
func (b *fakeBus) running() {
	b.mu.Lock()
	thawed := b.thawed
	b.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
}

// freeze stops the node at whatever it does with its bus.
func (b *fakeBus) freeze() {
	b.mu.Lock()
	b.thawed = make(chan struct{})
	b.mu.Unlock()
}

func (b *fakeBus) thaw() {
	b.mu.Lock()
	if b.thawed != nil {
		close(b.thawed)
		b.thawed = nil
	}
	b.mu.Unlock()
}

// kill ends the node's part in the hub at once.
func (b *fakeBus) kill() {
	b.hub.mu.Lock()
	b.hub.buses = slices.DeleteFunc(b.hub.buses, func(other *fakeBus) bool { return other == b })
	b.hub.mu.Unlock()
	b.mu.Lock()
	b.cut = true
	b.mu.Unlock()
}

// setAvailable cuts the bus and repairs it.
func (b *fakeBus) setAvailable(available bool) {
	b.mu.Lock()
	b.cut = !available
	b.mu.Unlock()
	b.tell(BusChange{Available: available, Lost: available})
}

// lost tells a loss of some subjects.
func (b *fakeBus) lost(subjects ...string) {
	b.tell(BusChange{Available: true, Lost: true, LostSubjects: subjects})
}

func (b *fakeBus) tell(change BusChange) {
	b.mu.Lock()
	var changes []func(BusChange)
	for _, f := range b.changes {
		changes = append(changes, f)
	}
	b.mu.Unlock()
	for _, f := range changes {
		f(change)
	}
}

func (h *fakeHub) setAvailable(available bool) {
	for _, b := range h.buses {
		b.setAvailable(available)
	}
}

// count returns how many messages were published to a subject.
func (h *fakeHub) count(subject string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.published[subject]
}

// loseAll makes what is published to a subject be lost; "": nothing.
func (h *fakeHub) loseAll(subject string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lose = subject
}

// send returns how many subscriptions get a message.
func (h *fakeHub) send(subject string, message BusMessage) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published[subject]++
	if subject == h.lose {
		return 0
	}
	message.Data = slices.Clone(message.Data)
	for _, b := range h.buses {
		b.mu.Lock()
		for _, s := range b.subs {
			if s.subject == subject && !b.cut {
				b.inbox = append(b.inbox, fakeDelivery{s, message})
				n++
				select {
				case b.wake <- struct{}{}:
				default:
				}
			}
		}
		b.mu.Unlock()
	}
	return n
}

func (b *fakeBus) Publish(subject string, data []byte) error {
	if !b.Available() {
		return ErrBusUnavailable
	}
	b.hub.send(subject, BusMessage{Data: data})
	return nil
}

func (b *fakeBus) Subscribe(subject string, receive func(BusMessage)) (BusSubscription, error) {
	b.running()
	s := &fakeSub{bus: b, subject: subject, receive: receive}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, s)
	return s, nil
}

func (s *fakeSub) Close() error {
	if s.closed.Swap(true) {
		return errors.New("closed twice")
	}
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	s.bus.subs = slices.DeleteFunc(s.bus.subs, func(other *fakeSub) bool { return other == s })
	return nil
}

func (b *fakeBus) Request(ctx context.Context, subject string, data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if !b.Available() {
			yield(nil, ErrBusUnavailable)
			return
		}
		replies := make(chan []byte, 100)
		n := b.hub.send(subject, BusMessage{Data: data, Reply: func(data []byte) error {
			replies <- slices.Clone(data)
			return nil
		}})
		if n == 0 {
			yield(nil, ErrNoSubscribers)
			return
		}
		for {
			select {
			case reply := <-replies:
				if !yield(reply, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

func (b *fakeBus) Available() bool {
	b.running()
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.cut
}

func (b *fakeBus) OnChange(f func(BusChange)) (stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.nextID
	b.nextID++
	b.changes[id] = f
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.changes, id)
	}
}
