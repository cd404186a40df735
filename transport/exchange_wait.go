package transport

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
)

// waitingExchange is an exchange that waits for a slot, as the bytes to be sent.
// The reader goroutine opens it when it finds a free slot, so its caller wakes
// once: for the answer. The session's mu guards it.
type waitingExchange struct {
	waiter
	s           *Session
	x           *Exchange
	header, msg []byte // of the caller, which waits
	mark        bool
	opened      bool // it has its place in the table of streams
}

// queueExchange queues an exchange if there is no slot for it, and returns nil
// otherwise; mu is held.
func (o *openCall) queueExchange() *waitingExchange {
	t := &o.s.streams
	if !o.queues || o.mayOpen() != nil || t.hasSlot(o.s.settings().MaxStreams) {
		return nil
	}
	w := &waitingExchange{s: o.s, x: o.newExchange(), header: o.header, msg: o.msg, mark: o.opts.Mark}
	w.ready, w.size, w.exchange = w.x.wake, 1, w
	t.slotQueue.push(&w.waiter)
	return w
}

// await waits until the peer has answered, or something else has happened on
// the stream. If it returns neither the exchange nor an error, o has a slot, and
// must open the stream in it.
func (w *waitingExchange) await(ctx context.Context, o *openCall) (*Exchange, error) {
	err := awaitOr(ctx, w.x.wake)
	if err == nil && (w.x.answered || w.x.st != nil) {
		w.x.wake <- struct{}{} // for Recv
		return w.x, nil
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	granted := w.s.streams.slotQueue.leave(&w.waiter)
	switch {
	case w.opened:
		return w.x, nil // Recv finds that ctx has ended
	case err == nil:
		err = o.mayOpen()
	}
	if err != nil && granted {
		w.s.streams.releaseSlot(w.s.settings().MaxStreams)
	}
	return nil, err
}

// open opens the exchange in a slot that is reserved, if it can be opened at
// once; mu is held.
func (w *waitingExchange) open() bool {
	s := w.s
	if !s.streams.canOpen() || !fitsFirst(len(w.msg), s.settings()) {
		return false
	}
	h := frame.Header{Type: frame.TypeOpen, Stream: s.streams.nextID}
	d := frame.Header{Type: frame.TypeData, Stream: s.streams.nextID, Flags: dataFlags(SendOptions{Mark: w.mark, End: true}, false)}
	var t turn
	p, err := s.out.put(viaWriter, &t, outgoing{Header: h, payload: w.header}, outgoing{Header: d, payload: w.msg})
	if p.wait != nil {
		s.out.giveUp(p.wait)
	}
	if err != nil || p.wait != nil {
		return false
	}
	w.opened = true
	s.insertExchange(w.x, p.pos, len(w.msg))
	return true
}

// openWaiting gives free slots to those that wait for them, and opens the
// exchanges among them. It reports whether it has opened any. mu is held.
func (s *Session) openWaiting() (opened bool) {
	t, most := &s.streams, s.settings().MaxStreams
	for w := t.slotQueue.first(); w != nil && uint64(t.local) < most; w = t.slotQueue.first() {
		t.local++
		if w.exchange != nil && w.exchange.open() {
			t.slotQueue.leave(w)
			opened = true
			continue
		}
		w.granted = true
		t.slotQueue.release(w)
	}
	return opened
}
