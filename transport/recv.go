package transport

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// Message is one message that was received.
type Message struct {
	Bytes     []byte
	Mark      bool // as the sender set it in SendOptions
	Last      bool // the direction has ended after it: the next Recv returns io.EOF
	HasHeader bool // the accepting end has sent a header first: RecvHeader returns it at once
}

// Recv waits for the next message and returns it in the memory of buf, which it
// grows as needed. It returns io.EOF when the peer has ended the direction, and
// the cause if the stream was abandoned. If ctx ends first nothing is lost: the
// next Recv returns the message.
func (st *Stream) Recv(ctx context.Context, buf []byte) (Message, error) {
	return st.recvMessage(ctx, buf, nil)
}

// RecvBorrowed is like Recv, but the message is valid only until the next
// receive, ReleaseMessage or Free. It is in memory of the stream, or in memory
// of the provider, which is asked for it when the message begins to arrive: a
// RecvBorrowed that waits holds none. Memory of the provider, as Grow has
// recorded it, belongs to the caller again when RecvBorrowed returns.
func (st *Stream) RecvBorrowed(ctx context.Context, memory BufferProvider) (Message, error) {
	return st.recvMessage(ctx, nil, memory)
}

// ReleaseMessage ends the use of the last message that RecvBorrowed has
// returned. Until then its memory counts for Parameters.MaxReassembly, if it
// came in several frames.
func (st *Stream) ReleaseMessage() { st.s.assembly.release(&st.recv.msg.claim) }

func (st *Stream) recvMessage(ctx context.Context, buf []byte, memory BufferProvider) (Message, error) {
	r := &st.recv
	if !r.receiving.CompareAndSwap(false, true) {
		return Message{}, ErrConcurrent
	}
	defer r.receiving.Store(false)
	r.batch.returnBorrowed()
	if !r.msg.interrupted {
		st.ReleaseMessage()
	}
	if m, ok := r.nextInBatch(); ok {
		if memory == nil {
			m.Bytes = append(buf[:0], m.Bytes...)
		}
		return m, nil
	}
	r.mu.Lock()
	r.msg.start(buf, memory)
	for {
		limit := r.gather(st.s)
		if r.msg.complete {
			return st.finishRecv(limit)
		}
		if err := r.over(); err != nil && !r.msg.blocked {
			st.s.assembly.release(&r.msg.claim)
			r.msg.reset()
			r.mu.Unlock()
			return Message{}, err
		}
		reads := !r.msg.blocked // else the message waits for memory
		r.msg.direct = reads
		notify := r.notified()
		r.mu.Unlock()
		st.announce(limit)
		var err error
		if !reads || !st.s.readUntil(ctx, time.Time{}, notify) {
			err = awaitOr(ctx, notify)
		}
		r.mu.Lock()
		r.msg.direct = false
		if err != nil && !r.msg.complete {
			r.msg.interrupt(&st.s.assembly)
			r.mu.Unlock()
			return Message{}, err
		}
	}
}

// finishRecv returns a complete message. It unlocks recv.mu.
func (st *Stream) finishRecv(limit uint64) (Message, error) {
	r := &st.recv
	last := r.ended && r.inbox.empty() && r.batch.empty()
	m := Message{Bytes: r.msg.bytes, Mark: r.msg.mark, Last: last, HasHeader: r.header.bytes != nil}
	borrowed := r.msg.provider != nil
	r.msg.reset()
	r.mu.Unlock()
	if !borrowed {
		st.ReleaseMessage()
	}
	st.announce(limit)
	return m, nil
}

// awaitOr waits for notify, or until ctx ends. For a context that never ends it
// needs no select, which costs more than a receive.
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

// GrowWindow gives the peer 2 MiB of credit at once, or MaxWindow if that is
// less, for a stream that is going to carry much. It does so while few windows
// are large: as long as that leaves three quarters of what all windows of the
// session may grow by. Without it, a window begins to grow when a message comes
// in several frames, or when half of it is used up.
func (st *Stream) GrowWindow() {
	st.recv.mu.Lock()
	limit := st.recv.widen(st.s)
	st.recv.mu.Unlock()
	st.announceLate(limit)
}

// announce sends the peer the limit of the stream's window, unless limit is 0.
func (st *Stream) announce(limit uint64) { st.sendWindow(limit, st.s.out.putLinkControl) }

// announceLate is announce for a stream of which the peer may not have seen the
// OPEN.
func (st *Stream) announceLate(limit uint64) {
	st.sendWindow(limit, func(f []byte) error { return st.s.out.putWindowLate(st.opened, f) })
}

// sendWindow queues a WINDOW frame by put, unless limit is 0. While much
// arrives, the round trip is measured now and then.
func (st *Stream) sendWindow(limit uint64, put func(f []byte) error) {
	if limit == 0 {
		return
	}
	st.s.queued(put(frame.AppendWindow(nil, st.id, limit)))
	if limit >= largeLimit {
		st.s.refreshRoundTrip()
	}
}

// RecvHeader waits for the accepting end's header. It returns nil without an
// error if the peer begins with a message or ends its direction instead.
func (st *Stream) RecvHeader(ctx context.Context) ([]byte, error) {
	r := &st.recv
	r.mu.Lock()
	settled := r.header.whenSettled()
	r.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.header.bytes == nil && r.err != nil {
		return nil, r.err
	}
	return r.header.bytes, nil
}

// Trailer returns the trailer with which the peer has ended its direction, and
// whether it has. Messages that came before it may still wait to be received.
func (st *Stream) Trailer() (trailer []byte, ended bool) {
	st.recv.mu.Lock()
	defer st.recv.mu.Unlock()
	return st.recv.trailer, st.recv.ended
}
