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
	o := openCall{header: header}
	err := s.open(ctx, &o)
	return o.st, err
}

// OpenSend is Open and Send in one, which is faster, for a message that can be
// sent at once in one frame. For any other message it is Open, and sent is
// false.
func (s *Session) OpenSend(ctx context.Context, header, msg []byte, opts SendOptions) (st *Stream, sent bool, err error) {
	o := openCall{header: header, msg: msg, opts: opts, sends: true}
	err = s.open(ctx, &o)
	return o.st, o.sends, err
}

// openCall is a stream that is being opened.
type openCall struct {
	header []byte
	msg    []byte // to be sent with the header, if sends
	opts   SendOptions
	sends  bool

	st     *Stream
	inline *attachment // as in putResult
}

// fits reports whether the peer's settings allow to send the message with the
// header.
func (o *openCall) fits(peer *frame.Hello) bool {
	size := uint64(len(o.msg))
	return size <= min(maxPiece, peer.MaxFrame, peer.MaxMessage) && size+frameCost <= peer.InitialWindow
}

// open opens a stream as soon as there is a slot, and room for its frames.
func (s *Session) open(ctx context.Context, o *openCall) error {
	if err := s.admit("header", len(o.header), func() error { return s.waitHello(ctx) }); err != nil {
		return err
	}
	if err := s.openInSlot(ctx, o); err != nil {
		return s.failure(err)
	}
	s.updateDetached()
	if o.inline != nil {
		o.inline.writeInline(s)
	}
	return nil
}

func (s *Session) openInSlot(ctx context.Context, o *openCall) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reserveSlot(ctx); err != nil {
		return err
	}
	o.sends = o.sends && o.fits(s.settings())
	err := s.openStream(ctx, o)
	if err != nil {
		s.streams.releaseSlot(s.settings().MaxStreams)
	}
	return err
}

// reserveSlot waits until the peer accepts one more stream at once. mu is held,
// but not while it waits.
func (s *Session) reserveSlot(ctx context.Context) error {
	if err := s.mayOpen(); err != nil {
		return err
	}
	if s.streams.tryReserve(s.settings().MaxStreams) {
		return nil
	}
	w := s.streams.slotQueue.add(1)
	err := s.waitOpen(ctx, w)
	if granted := s.streams.slotQueue.leave(w); err != nil && granted {
		s.streams.releaseSlot(s.settings().MaxStreams)
	}
	return err
}

// waitOpen waits for what a stream needs to be opened. mu is held, but not
// while it waits. It returns an error if the session has ended meanwhile.
func (s *Session) waitOpen(ctx context.Context, w *waiter) error {
	s.mu.Unlock()
	err := awaitOr(ctx, w.ready)
	s.mu.Lock()
	if err != nil {
		return err
	}
	return s.mayOpen()
}

// mayOpen returns why this end opens no more streams; mu is held.
func (s *Session) mayOpen() error {
	if s.err == nil && !s.streams.canOpen() {
		return ErrDraining
	}
	return s.err
}

// openStream opens a stream in a reserved slot when there is room for its
// frames. mu is held, but not while it waits.
func (s *Session) openStream(ctx context.Context, o *openCall) error {
	mode := viaWriter
	buf := [2]outgoing{{Header: frame.Header{Type: frame.TypeOpen}, payload: o.header}}
	frames := buf[:1]
	if o.sends {
		h := frame.Header{Type: frame.TypeData, Flags: dataFlags(o.opts, false)}
		frames = append(frames, outgoing{Header: h, payload: o.msg})
		mode = s.writeMode()
	}
	s.setStreamID(frames)
	p, err := s.out.put(mode, frames...)
	if p.wait != nil {
		if err := s.waitOpen(ctx, p.wait); err != nil {
			s.out.giveUp(p.wait)
			return err
		}
		s.setStreamID(frames) // other streams may have been opened meanwhile
		p.pos, err = s.out.putGranted(p.wait, frames...)
	}
	if err != nil {
		return err
	}
	st := s.initStream(s.streams.pool.getLocal(), s.streams.nextID)
	s.streams.insert(st)
	st.opened, st.send.pos = p.pos, p.pos
	if o.sends {
		st.send.begun = true
		st.send.window.spend(len(o.msg))
	}
	if o.sends && o.opts.End {
		st.send.ended = true
		st.open.Store(1)
	}
	s.streams.nextID += 2
	o.st, o.inline = st, p.inline
	return nil
}

// setStreamID makes frames those of the next stream that this end opens; mu is
// held.
func (s *Session) setStreamID(frames []outgoing) {
	for i := range frames {
		frames[i].Stream = s.streams.nextID
	}
}
