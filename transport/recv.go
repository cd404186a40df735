package transport

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Message is one message that was received.
type Message struct {
	Bytes     []byte
	Mark      bool // as the sender set it in SendOptions
	Last      bool // the direction has ended behind it: the next Recv returns io.EOF
	HasHeader bool // the accepting end has sent a header ahead: RecvHeader returns it at once
}

// recvHalf is the direction in which this end receives.
type recvHalf struct {
	mu      sync.Mutex
	window  recvWindow
	header  []byte        // of the HEADER frame
	trailer []byte        // of the END frame
	ready   chan struct{} // closed when header is decided; nil while nobody waits
	decided bool          // header has come, or cannot come any more
	ended   bool          // the peer has ended the direction
	err     error         // why nothing more arrives
	inbox   inbox
	dropped atomic.Bool // what has arrived is not to be received; set with mu held

	// The message that is arriving.
	size    int  // bytes so far
	mark    bool // of its first piece
	partial bool // more pieces follow

	// Those of the Recv that is under way. It has taken what is in hand out of inbox at
	// once, so that it gets many small messages without the lock.
	reading  atomic.Bool // there is one
	hand     hand
	unbooked uint64 // cost of what was received and window does not know of
	bookAt   uint64 // how much that may be

	// The message that a Recv is putting together.
	direct  bool           // it waits: pieces go straight to dst, past the inbox
	memory  BufferProvider // that dst grows in; nil: the caller's own
	dst     []byte         // the message so far
	longest int            // message of several pieces, in bytes
	whole   bool           // dst is complete
	dstMark bool           // its mark
	starved bool           // pieces that have arrived wait until dst may grow
	claim   claim          // what dst has of the session's assembly
	stash   []byte         // of a message that a Recv gave up in the middle
	gaveUp  bool           // it did; of the Recv that is under way
	notify  chan struct{}  // wakes the Recv
}

// Recv waits for the next message and returns it in the memory of buf, which it
// grows as needed. It returns io.EOF when the peer has ended the direction, and
// the cause if the stream was abandoned. If ctx ends first nothing is lost: the
// next Recv returns the message.
func (st *Stream) Recv(ctx context.Context, buf []byte) (Message, error) {
	return st.recvMessage(ctx, buf, nil)
}

// RecvBorrowed is like Recv, but the message is valid only until the next receive,
// ReleaseMessage or Free. It is in memory of the stream, or in
// memory that is taken when the message begins to arrive: a Recv that waits holds none. Memory
// that was taken, as Grow has noted, is the caller's again when RecvBorrowed returns.
func (st *Stream) RecvBorrowed(ctx context.Context, memory BufferProvider) (Message, error) {
	return st.recvMessage(ctx, nil, memory)
}

func (st *Stream) recvMessage(ctx context.Context, buf []byte, memory BufferProvider) (Message, error) {
	r := &st.recv
	if !r.reading.CompareAndSwap(false, true) {
		return Message{}, ErrConcurrent
	}
	defer r.reading.Store(false)
	r.hand.giveBack()
	if !r.gaveUp {
		st.ReleaseMessage()
	}
	if m, ok := r.inHand(); ok {
		if memory == nil {
			m.Bytes = append(buf[:0], m.Bytes...)
		}
		return m, nil
	}
	r.mu.Lock()
	r.whole, r.gaveUp = false, false
	r.dst, r.memory = buf[:0], memory
	if r.stash != nil {
		r.grow(len(r.stash))
		r.dst = append(r.dst, r.stash...)
		r.stash = nil
	}
	for {
		limit := r.gather(st.s)
		if r.whole {
			return st.received(limit)
		}
		if err := r.over(); err != nil && !r.starved {
			st.s.assembly.leave(&r.claim)
			r.dst, r.memory = nil, nil
			r.mu.Unlock()
			return Message{}, err
		}
		r.direct = !r.starved
		notify := r.notified()
		r.mu.Unlock()
		st.announce(limit)
		err := awaitOr(ctx, notify)
		r.mu.Lock()
		r.direct = false
		if err != nil && !r.whole {
			r.giveUp(st.s)
			return Message{}, err
		}
	}
}

// inHand returns the next message if it lies in hand as a whole. It needs no lock.
func (r *recvHalf) inHand() (m Message, ok bool) {
	if r.hand.empty() || r.gaveUp || r.dropped.Load() {
		return Message{}, false
	}
	flags, size := r.hand.next()
	cost := r.unbooked + uint64(size) + frameCost
	if cost > r.bookAt || flags&frame.FlagMore != 0 {
		return Message{}, false
	}
	r.unbooked = cost
	return Message{
		Bytes:     r.hand.lend(),
		Mark:      flags&frame.FlagMark != 0,
		Last:      flags&frame.FlagEnd != 0,
		HasHeader: r.header != nil, // which was decided before the first message came
	}, true
}

// awaitOr waits for notify, or until ctx ends. A context that never ends is not waited
// for: a select costs more than a receive.
func awaitOr(ctx context.Context, notify <-chan struct{}) error {
	end := ctx.Done()
	if end == nil {
		<-notify
		return nil
	}
	select {
	case <-notify:
		return nil
	case <-end:
		return ctx.Err()
	}
}

// received hands a complete message over. It unlocks recv.mu.
func (st *Stream) received(limit uint64) (Message, error) {
	r := &st.recv
	last := r.ended && r.inbox.empty() && r.hand.empty()
	m := Message{Bytes: r.dst, Mark: r.dstMark, Last: last, HasHeader: r.header != nil}
	own := r.memory == nil
	r.dst, r.memory = nil, nil
	r.mu.Unlock()
	if own {
		st.ReleaseMessage()
	}
	st.announce(limit)
	return m, nil
}

// gather moves pieces to dst up to the end of a message, and returns what to announce.
func (r *recvHalf) gather(s *Session) (limit uint64) {
	r.starved = false
	if r.dropped.Load() {
		r.hand.clear()
	}
	for !r.whole && !r.starved {
		if r.hand.empty() && !r.hand.takeOver(&r.inbox) {
			break
		}
		flags, size := r.hand.next()
		last := flags&frame.FlagMore == 0
		switch {
		case r.memory != nil && last && len(r.dst) == 0:
			r.dst = r.hand.lend()
		case r.room(s, flags, size):
			r.dst = append(r.dst, r.hand.lend()...)
			r.hand.giveBack()
		default:
			r.starved = true
			continue
		}
		r.dstMark, r.whole = flags&frame.FlagMark != 0, last
		r.unbooked += uint64(size) + frameCost
	}
	limit = r.consume(s, r.unbooked)
	r.unbooked, r.bookAt = 0, r.window.size/4
	return limit
}

// consume books a cost as read and returns the limit to announce, or 0. There is
// nothing to announce once the peer has ended the direction.
func (r *recvHalf) consume(s *Session, cost uint64) (limit uint64) {
	if !r.window.needsUpdate(cost) || r.ended || r.err != nil {
		return 0
	}
	return r.window.update(time.Now(), uint64(s.cfg.MaxWindow), &s.windows)
}

// over returns the reason why no message comes any more, if there is one.
func (r *recvHalf) over() error {
	if r.err != nil {
		return r.err
	}
	if r.ended {
		return io.EOF
	}
	return nil
}

// announced returns the limit that the peer has been told, or 0 if that is none
// beyond the initial one, or if nothing more can come.
func (r *recvHalf) announced() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.err != nil || r.window.consumed == 0 {
		return 0
	}
	return r.window.limit
}

// announce tells the peer how far it may send, unless limit is 0.
func (st *Stream) announce(limit uint64) {
	if limit == 0 {
		return
	}
	var buf [frame.MaxHeaderLen + 8]byte
	st.s.queued(st.s.out.putPassing(frame.AppendWindow(buf[:0], st.id, limit)))
}

// deliver takes a DATA frame in. A *ResetError says how the peer broke the rules
// of the stream.
func (st *Stream) deliver(flags frame.Flags, piece []byte) error {
	r := &st.recv
	r.mu.Lock()
	if r.err != nil {
		r.mu.Unlock()
		return nil
	}
	if err := r.accept(flags, piece, st.s.cfg.MaxMessage); err != nil {
		r.mu.Unlock()
		return err
	}
	var limit uint64
	wake := false
	if r.direct && !r.whole && r.room(st.s, flags, len(piece)) {
		r.dst = append(r.dst, piece...)
		r.dstMark, r.whole = r.mark, !r.partial
		wake = r.whole
		limit = r.consume(st.s, uint64(len(piece))+frameCost)
	} else {
		r.direct = r.direct && r.whole // what follows comes behind it
		r.inbox.put(flags, piece)
	}
	end := flags&frame.FlagEnd != 0
	if end {
		r.end(nil)
	} else if wake {
		r.wake()
	}
	r.mu.Unlock()
	st.announce(limit)
	if end {
		st.peerEnded()
	}
	return nil
}

// accept holds a DATA frame against the rules and books it.
func (r *recvHalf) accept(flags frame.Flags, piece []byte, maxMessage int) error {
	mark := flags&frame.FlagMark != 0
	switch {
	case r.ended:
		return &ResetError{Code: ResetProtocol, Reason: "DATA after END"}
	case !r.window.receive(uint64(len(piece)) + frameCost):
		return &ResetError{Code: ResetProtocol, Reason: "DATA beyond the credit"}
	case r.partial && mark != r.mark:
		return &ResetError{Code: ResetProtocol, Reason: "MARK changes within a message"}
	}
	if !r.partial {
		r.size, r.mark = 0, mark
		r.decide(nil)
	}
	if r.size += len(piece); r.size > maxMessage {
		return messageLimit(maxMessage)
	}
	if r.partial = flags&frame.FlagMore != 0; r.partial {
		r.longest = max(r.longest, r.size)
	}
	return nil
}

// handleEnd takes an END frame in.
func (st *Stream) handleEnd(trailer []byte) error {
	r := &st.recv
	r.mu.Lock()
	switch {
	case r.err != nil:
		r.mu.Unlock()
		return nil
	case r.ended || r.partial:
		r.mu.Unlock()
		return &ResetError{Code: ResetProtocol, Reason: "END after END or within a message"}
	}
	r.end(bytes.Clone(trailer))
	r.mu.Unlock()
	st.peerEnded()
	return nil
}

// handleHeader takes a HEADER frame in.
func (st *Stream) handleHeader(header []byte) error {
	r := &st.recv
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return nil
	case !st.opener:
		return &ResetError{Code: ResetProtocol, Reason: "HEADER from the end that opened the stream"}
	case r.decided:
		return &ResetError{Code: ResetProtocol, Reason: "HEADER twice or after DATA or END"}
	}
	r.decide(append(make([]byte, 0, len(header)), header...))
	return nil
}

// RecvHeader waits for the accepting end's header. It returns nil without an
// error if the peer begins with a message or ends its direction instead.
func (st *Stream) RecvHeader(ctx context.Context) ([]byte, error) {
	r := &st.recv
	r.mu.Lock()
	if !r.decided && r.ready == nil {
		r.ready = make(chan struct{})
	}
	ready, decided := r.ready, r.decided
	r.mu.Unlock()
	if !decided {
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.header == nil && r.err != nil {
		return nil, r.err
	}
	return r.header, nil
}

// Trailer returns the trailer with which the peer has ended its direction, and
// whether it has. Messages that came before it may still wait to be received.
func (st *Stream) Trailer() (trailer []byte, ended bool) {
	st.recv.mu.Lock()
	defer st.recv.mu.Unlock()
	return st.recv.trailer, st.recv.ended
}

// decide settles what header the stream has.
func (r *recvHalf) decide(header []byte) {
	if r.decided {
		return
	}
	r.decided, r.header = true, header
	if r.ready != nil {
		close(r.ready)
	}
}

func (r *recvHalf) end(trailer []byte) {
	r.ended, r.trailer = true, trailer
	r.decide(nil)
	r.wake()
}

// notified returns what wake sends to.
func (r *recvHalf) notified() chan struct{} {
	if r.notify == nil {
		r.notify = make(chan struct{}, 1)
	}
	return r.notify
}

func (r *recvHalf) wake() {
	if r.notify == nil {
		return
	}
	select {
	case r.notify <- struct{}{}:
	default:
	}
}

// fail ends the direction with err, unless it has ended, and returns by how much
// the count of open directions falls. A reset drops what was not read.
func (r *recvHalf) fail(s *Session, err error) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || r.ended {
		return 0
	}
	r.err = err
	if isReset(err) {
		r.drop()
		if r.stash != nil { // else a Recv is at work, which sees err, or what it has returned is in use
			r.stash = nil
			s.assembly.leave(&r.claim)
		}
	}
	r.decide(nil)
	r.wake()
	return 1
}

// unread returns how many bytes are held that have arrived and were not received. The
// header and the trailer count.
func (r *recvHalf) unread() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.header) + len(r.trailer) + cap(r.dst) + cap(r.stash)
	if !r.dropped.Load() {
		n += int(r.window.received - r.window.consumed)
	}
	return n
}

// drop drops what has arrived and was not received. What a Recv has in hand it drops by
// itself.
func (r *recvHalf) drop() {
	r.dropped.Store(true)
	r.inbox.clear()
}

// release frees what the stream holds.
func (r *recvHalf) release(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = ErrStreamClosed
	}
	r.drop()
	r.stash = nil
	r.window.giveBack(&s.windows)
	s.assembly.leave(&r.claim)
	r.wake()
}
