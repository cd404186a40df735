package natsbus

import (
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/parley-rpc/parley/ext/cluster"
)

// subscription is a subscription of a Bus. It has no goroutine and no queue of
// its own, so that a node can have one for each client.
type subscription struct {
	bus     *Bus
	sub     *nats.Subscription
	receive func(cluster.BusMessage)
	closed  atomic.Bool
	dropped int // messages, as dispatch has told
}

// flushTimeout is how long a subscription waits for the server to know it.
const flushTimeout = 2 * time.Second

// Subscribe implements cluster.Bus. It returns when the server knows the
// subscription, which takes a round trip. Other servers of a NATS cluster learn
// of it a little later.
func (b *Bus) Subscribe(subject string, receive func(cluster.BusMessage)) (cluster.BusSubscription, error) {
	if err := b.check(subject); err != nil {
		return nil, err
	}
	s := &subscription{bus: b, receive: receive}
	if err := b.add(s, subject); err != nil {
		return nil, unavailable(err)
	}
	if b.Available() {
		if err := b.nc.FlushTimeout(flushTimeout); err != nil && b.Available() {
			_ = s.Close()
			return nil, err
		}
	}
	return s, nil
}

// add makes NATS deliver to the bus's queue what is for a subscription.
func (b *Bus) add(s *subscription, subject string) (err error) {
	b.subscribing.Lock()
	defer b.subscribing.Unlock()
	if s.sub, err = b.nc.ChanSubscribe(subject, b.queue); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs[s.sub] = s
	return nil
}

// Close implements cluster.BusSubscription.
func (s *subscription) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.bus.mu.Lock()
	delete(s.bus.subs, s.sub)
	s.bus.mu.Unlock()
	err := s.sub.Unsubscribe()
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrBadSubscription) {
		return nil
	}
	return err
}

// dispatch passes messages to their subscriptions until the bus ends. nats.go
// drops messages while the queue is full. Then the queue is full, or all but
// full, after the next message is taken. So each loss is noticed here. It is
// told at once, again whenever as many messages were passed on as fit the
// queue, and when half of the queue is free.
func (b *Bus) dispatch() {
	lossy, passed := false, 0
	for {
		select {
		case <-b.done:
			return
		case m := <-b.queue:
			waiting := len(b.queue)
			full := waiting >= cap(b.queue)-1
			passed++
			if full && !lossy || lossy && (waiting < cap(b.queue)/2 || passed >= cap(b.queue)) {
				b.tellLost()
				lossy, passed = waiting >= cap(b.queue)/2, 0
			}
			b.deliver(m)
		}
	}
}

// tellLost tells of which subjects nats.go has dropped messages.
func (b *Bus) tellLost() {
	b.mu.Lock()
	subs := slices.Collect(maps.Values(b.subs))
	b.mu.Unlock()
	var lost []string
	for _, s := range subs {
		dropped, err := s.sub.Dropped()
		if err == nil && dropped != s.dropped { // the error: it is closed
			s.dropped = dropped
			lost = append(lost, s.sub.Subject)
		}
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		b.tell(cluster.BusChange{Available: b.Available(), Lost: true, LostSubjects: slices.Compact(lost)})
	}
}

// deliver calls the receive of the subscription that a message is for.
func (b *Bus) deliver(m *nats.Msg) {
	s := b.find(m.Sub)
	if s == nil || s.closed.Load() {
		return
	}
	message := cluster.BusMessage{Data: m.Data}
	if reply := m.Reply; reply != "" {
		message.Reply = func(data []byte) error { return b.reply(reply, data) }
	}
	s.receive(message)
}

// find returns a subscription, or nil if it is closed. A message may be faster
// than the Subscribe that it is for.
func (b *Bus) find(sub *nats.Subscription) *subscription {
	b.mu.Lock()
	s := b.subs[sub]
	b.mu.Unlock()
	if s != nil {
		return s
	}
	b.subscribing.Lock()
	defer b.subscribing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.subs[sub]
}
