package transport

import (
	"context"

	"github.com/parley-rpc/parley/internal/frame"
)

// Open opens a stream with a header for the accepting end. It does not wait for
// the peer to accept the stream, but for a slot if the peer allows no more
// streams at once. ctx bounds that wait and has no part in the stream's later
// life.
func (s *Session) Open(ctx context.Context, header []byte) (*Stream, error) {
	o := openCall{s: s, header: header}
	err := o.open(ctx)
	return o.st, err
}

// OpenSend is Open and Send in one, which is faster, for a message that can be
// sent at once in one frame. For any other message it is Open, and sent is
// false.
func (s *Session) OpenSend(ctx context.Context, header, msg []byte, opts SendOptions) (st *Stream, sent bool, err error) {
	o := openCall{s: s, header: header, msg: msg, opts: opts, sends: true}
	err = o.open(ctx)
	return o.st, o.sends, err
}

// ExchangeOptions say how to open an exchange.
type ExchangeOptions struct {
	// Mark is that of SendOptions.
	Mark bool
	// AwaitAnswer allows OpenExchange to return only when something has
	// happened on the exchange, or ctx has ended, if it has to wait for a slot.
	// That is faster: the caller wakes once.
	AwaitAnswer bool
	// OnHeader checks the header of the accepting end, if one arrives, as that
	// of Stream.OnHeader does. Nil checks nothing.
	OnHeader HeaderCheck
}

// OpenExchange is OpenSend of the only message of this end, for a stream on
// which the peer is likely to answer with one small message. It returns an
// exchange if the message is small, and a stream otherwise.
func (s *Session) OpenExchange(ctx context.Context, header, msg []byte, opts ExchangeOptions) (x *Exchange, st *Stream, sent bool, err error) {
	o := openCall{s: s, header: header, msg: msg, opts: SendOptions{Mark: opts.Mark, End: true}, sends: true, check: opts.OnHeader}
	o.exchanges = len(msg) <= maxExchanged
	o.queues = o.exchanges && opts.AwaitAnswer
	err = o.open(ctx)
	return o.x, o.st, o.sends, err
}

// openCall is a stream that is being opened.
type openCall struct {
	s         *Session
	header    []byte
	msg       []byte // to be sent with the header, if sends
	opts      SendOptions
	sends     bool
	exchanges bool // an exchange is enough
	queues    bool // and may wait for a slot as a waitingExchange
	check     HeaderCheck

	st     *Stream     // nil: it is x
	x      *Exchange   // nil: it is st
	inline *attachment // as in putResult
}

// fitsFirst reports whether the peer's settings allow to send a message of n
// bytes in one frame, as the first on a stream.
func fitsFirst(n int, peer *frame.Hello) bool {
	size := uint64(n)
	return size <= min(maxPiece, peer.MaxFrame, peer.MaxMessage) && size+frameCost <= peer.InitialWindow
}

// open opens a stream as soon as there is a slot, and room for its frames.
func (o *openCall) open(ctx context.Context) error {
	if err := o.s.admit("header", len(o.header), func() error { return o.s.waitHello(ctx) }); err != nil {
		return err
	}
	if err := o.openInSlot(ctx); err != nil {
		return o.s.failure(err)
	}
	o.s.updateDetached()
	if o.inline != nil {
		o.inline.writeInline(o.s)
	}
	return nil
}

func (o *openCall) openInSlot(ctx context.Context) (err error) {
	o.s.mu.Lock()
	w := o.queueExchange()
	if w == nil {
		defer o.s.mu.Unlock()
		if err := o.reserveSlot(ctx); err != nil {
			return err
		}
		return o.openReserved(ctx)
	}
	o.s.mu.Unlock()
	if o.x, err = w.await(ctx, o); o.x != nil || err != nil {
		return err
	}
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	return o.openReserved(ctx)
}

// openReserved opens a stream in a slot that is reserved. The session's mu is
// held, but not while it waits.
func (o *openCall) openReserved(ctx context.Context) error {
	if err := o.mayOpen(); err != nil {
		o.s.streams.releaseSlot(o.s.settings().MaxStreams)
		return err
	}
	o.sends = o.sends && fitsFirst(len(o.msg), o.s.settings())
	err := o.openStream(ctx)
	if err != nil {
		o.s.streams.releaseSlot(o.s.settings().MaxStreams)
	}
	return err
}

// reserveSlot waits until the peer accepts one more stream at once. The
// session's mu is held, but not while it waits.
func (o *openCall) reserveSlot(ctx context.Context) error {
	if err := o.mayOpen(); err != nil {
		return err
	}
	if o.s.streams.tryReserve(o.s.settings().MaxStreams) {
		return nil
	}
	w := o.s.streams.slotQueue.add(1)
	err := o.waitOpen(ctx, w)
	if granted := o.s.streams.slotQueue.leave(w); err != nil && granted {
		o.s.streams.releaseSlot(o.s.settings().MaxStreams)
	}
	return err
}

// waitOpen waits for what a stream needs to be opened. The session's mu is
// held, but not while it waits. It returns an error if the session has ended
// meanwhile.
func (o *openCall) waitOpen(ctx context.Context, w *waiter) error {
	o.s.mu.Unlock()
	err := awaitOr(ctx, w.ready)
	o.s.mu.Lock()
	if err != nil {
		return err
	}
	return o.mayOpen()
}

// mayOpen returns why this end opens no more streams; the session's mu is held.
func (o *openCall) mayOpen() error {
	if o.s.err == nil && !o.s.streams.canOpen() {
		return ErrDraining
	}
	return o.s.err
}

// openStream opens a stream in a reserved slot when there is room for its
// frames. The session's mu is held, but not while it waits.
func (o *openCall) openStream(ctx context.Context) error {
	mode := viaWriter
	buf := [2]outgoing{{Header: frame.Header{Type: frame.TypeOpen}, payload: o.header}}
	frames := buf[:1]
	if o.sends {
		h := frame.Header{Type: frame.TypeData, Flags: dataFlags(o.opts, false)}
		frames = append(frames, outgoing{Header: h, payload: o.msg})
		mode = o.s.writeMode()
	}
	o.setStreamID(frames)
	var t turn
	p, err := o.s.out.put(mode, &t, frames...)
	if p.wait != nil {
		if err := o.waitOpen(ctx, p.wait); err != nil {
			o.s.out.giveUp(p.wait)
			return err
		}
		o.setStreamID(frames) // other streams may have been opened meanwhile
		p.pos, err = o.s.out.putGranted(p.wait, &t, frames...)
	}
	if err != nil {
		return err
	}
	o.inline = p.inline
	if o.exchanges && o.sends {
		o.x = o.newExchange()
		o.s.insertExchange(o.x, p.pos, len(o.msg))
	} else {
		o.insertStream(p.pos, t)
		o.s.streams.nextID += 2
	}
	return nil
}

// insertStream makes the stream whose frames are queued; mu is held.
func (o *openCall) insertStream(pos position, t turn) {
	st := o.s.initStream(o.s.streams.pool.getLocal(), o.s.streams.nextID)
	o.s.streams.insert(st)
	st.opened, st.send.pos, st.send.turn = pos, pos, t
	if o.sends {
		st.send.begun = true
		st.send.window.spend(len(o.msg))
	}
	if o.sends && o.opts.End {
		st.send.ended = true
		st.open.Store(1)
	}
	st.recv.header.check = o.check
	o.st = st
}

// setStreamID makes frames those of the next stream that this end opens; mu is
// held.
func (o *openCall) setStreamID(frames []outgoing) {
	for i := range frames {
		frames[i].Stream = o.s.streams.nextID
	}
}
