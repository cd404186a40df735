package rpc

import (
	"container/list"
	"context"
	"errors"
	"math"
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// inflation bounds the memory of messages while they are inflated and decoded,
// on all connections of an endpoint together. A message acquires all the memory
// it needs at once, or waits and holds none. So no message that holds memory
// waits for more, and all of it is released. Each connection has a share, and
// waiting connections are served in turn. So a connection that sends thousands
// of inflating messages delays the others by one message at a time.
type inflation struct {
	limit, share int // bytes, of all connections and of one

	mu    sync.Mutex
	used  int
	queue list.List // of *inflationShare: those with a waiter that their share allows
}

// inflationShare is the part of a connection.
type inflationShare struct {
	used    int
	waiting list.List     // of *inflationWaiter
	place   *list.Element // in the queue; nil: not in it
}

type inflationWaiter struct {
	size  int
	ready chan struct{} // closed when size is acquired
}

const (
	defaultMessageMemory = 512 << 20 // bytes of Limits.MaxMessageMemory
	minShare             = 32 << 20  // bytes that a connection may have, if it has no other limit
)

// boundMessages bounds the memory of messages that are reassembled and of those
// that are inflated, on all connections: half of it for each.
func (e *endpoint) boundMessages(bytes int64) {
	largest := bufferSize(e.maxMessage())
	e.inflation.share = max(minShare, largest)
	if own := e.transport.MaxReassembly; own > 0 {
		e.inflation.share = max(own, largest)
	}
	e.inflation.limit = max(int(min(bytes/2, math.MaxInt)), largest)
	if e.transport.ReassemblyBudget == nil {
		e.transport.ReassemblyBudget = transport.NewBudget(bytes / 2)
	}
}

// acquire waits until a connection may have size bytes. They must be released.
func (i *inflation) acquire(ctx context.Context, s *inflationShare, size int) error {
	i.mu.Lock()
	if i.queue.Len() == 0 && s.waiting.Len() == 0 && i.fits(s, size) {
		i.add(s, size)
		i.mu.Unlock()
		return nil
	}
	w := &inflationWaiter{size: size, ready: make(chan struct{})}
	place := s.waiting.PushBack(w)
	i.grant(s)
	i.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-w.ready:
		i.add(s, -size)
	default:
		s.waiting.Remove(place)
	}
	i.grant(s)
	return transportError(ctx.Err())
}

// release gives back what acquire has granted.
func (i *inflation) release(s *inflationShare, size int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.add(s, -size)
	i.grant(s)
}

func (i *inflation) add(s *inflationShare, size int) {
	i.used += size
	s.used += size
}

func (i *inflation) fits(s *inflationShare, size int) bool {
	return s.used+size <= i.share && i.used+size <= i.limit
}

// grant serves waiters, one connection after the other, after a change of s; mu
// is held.
func (i *inflation) grant(s *inflationShare) {
	i.requeue(s)
	for front := i.queue.Front(); front != nil; front = i.queue.Front() {
		s := front.Value.(*inflationShare)
		first := s.waiting.Front()
		w := first.Value.(*inflationWaiter)
		if !i.fits(s, w.size) {
			return // it stays first until there is enough
		}
		i.add(s, w.size)
		s.waiting.Remove(first)
		close(w.ready)
		i.queue.Remove(front)
		s.place = nil
		i.requeue(s)
	}
}

// requeue adds a connection to the end of the queue or removes it, depending on
// whether its share allows its first waiter; mu is held.
func (i *inflation) requeue(s *inflationShare) {
	first := s.waiting.Front()
	due := first != nil && s.used+first.Value.(*inflationWaiter).size <= i.share
	switch {
	case due && s.place == nil:
		s.place = i.queue.PushBack(s)
	case !due && s.place != nil:
		i.queue.Remove(s.place)
		s.place = nil
	}
}

// freeInflation is the size in bytes up to which inflated messages are not
// counted. An uncompressed message of one frame may be as large.
const freeInflation = 32 << 10

// inflateThen calls use with the inflated message, at most limit bytes. The
// memory is acquired before it grows: first the compressor's guess, which is
// right unless the message lies, then the limit.
func (c *coder) inflateThen(ctx context.Context, conn *Conn, data []byte, use func([]byte) error) error {
	if guesser, ok := c.inflate.(interface{ guess(src []byte) int }); ok {
		guess := guesser.guess(data)
		if most := max(guess, freeInflation); most < c.limit {
			tooSmall, err := c.inflateWithin(ctx, conn, data, guess, most, use)
			if !tooSmall {
				return err
			}
		}
		_, err := c.inflateWithin(ctx, conn, data, min(c.limit, largeBuffer), c.limit, use)
		return err
	}
	_, err := c.inflateWithin(ctx, conn, data, min(c.limit, minBuffer), c.limit, use)
	return err
}

// inflateWithin is inflateThen with an initial size and a maximum. tooSmall
// reports that the message exceeds the maximum.
func (c *coder) inflateWithin(ctx context.Context, conn *Conn, data []byte, size, most int, use func([]byte) error) (tooSmall bool, err error) {
	if most > freeInflation {
		counted := bufferSize(most)
		if err := conn.e.inflation.acquire(ctx, &conn.inflation, counted); err != nil {
			return false, err
		}
		defer conn.e.inflation.release(&conn.inflation, counted)
	}
	b := getBufferFor(size)
	defer b.put()
	inflated, err := c.inflate.Decompress(b.bytes, data, most)
	if err != nil {
		code := CodeInternal
		if tooSmall = errors.Is(err, ErrInflatedTooLarge); tooSmall {
			code = CodeResourceExhausted
		}
		return tooSmall, Errorf(code, "inflate with %s, at most %d bytes: %w", c.inflate.Name(), c.limit, err)
	}
	b.bytes = inflated
	return false, use(inflated)
}
