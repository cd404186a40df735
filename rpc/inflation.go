package rpc

import (
	"container/list"
	"context"
	"errors"
	"math"
	"sync"

	"github.com/parley-rpc/parley/transport"
)

// inflation bounds the memory of messages while they are inflated and decoded, on all
// connections of an endpoint together. A message takes all that it needs at once, or waits and
// holds nothing: none that has some waits for more, so all of it comes back. A
// connection has a share of it, and where several wait they are served in turns: one that
// sends thousands of messages that inflate holds up the others by one message at a time.
type inflation struct {
	limit, share int // bytes, of all and of a connection

	mu    sync.Mutex
	used  int
	queue list.List // of *inflationShare: those with a waiter whose share allows it
}

// inflationShare is what a connection has of it.
type inflationShare struct {
	used    int
	waiting list.List     // of *inflationWaiter
	place   *list.Element // in turn; nil: not there
}

type inflationWaiter struct {
	size  int
	ready chan struct{} // closed when it has been given size
}

const (
	defaultMessageMemory = 512 << 20 // bytes of Limits.MaxMessageMemory
	minShare             = 32 << 20  // bytes that a connection may have, if it has no other limit
)

// boundMessages bounds what messages in pieces and inflated ones hold together, on all
// connections: half of it for each.
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

// take waits until a connection may have size bytes. They have to be given back.
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

// grant serves waiters, a connection after the other, when something has changed in
// s; mu is held.
func (i *inflation) grant(s *inflationShare) {
	i.requeue(s)
	for front := i.queue.Front(); front != nil; front = i.queue.Front() {
		s := front.Value.(*inflationShare)
		first := s.waiting.Front()
		w := first.Value.(*inflationWaiter)
		if !i.fits(s, w.size) {
			return // there is not enough; it is the next
		}
		i.add(s, w.size)
		s.waiting.Remove(first)
		close(w.ready)
		i.queue.Remove(front)
		s.place = nil
		i.requeue(s)
	}
}

// line puts a connection at the end of the turns, or takes it out, as its share allows the
// first waiter there; mu is held.
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

// freeInflation is how many bytes a message may inflate to without being counted. It is as
// much as a message of one frame may have that is not compressed.
const freeInflation = 32 << 10

// inflated calls use with what a message inflates to, at most limit bytes. The memory is
// taken before it grows: as much as the compressor guesses at first, which is right unless
// the message lies, and then the limit.
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

// inflatedIn is inflated with memory for size bytes to begin with, and for most at the end;
// tooSmall says that it was more than that.
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
