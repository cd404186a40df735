package transport

import (
	"context"
	"sync/atomic"
	"time"
)

// Exchange is a stream that this end has opened together with its only message,
// before the memory of a Stream is needed for it: most small calls are answered
// by one small message, and nothing else happens on their streams.
//
// At anything else the session makes the Stream, with its mu held, and the rules
// of streams apply from there on: when a header, a trailer, a part of a message
// or a RESET arrives, when the stream is abandoned at this end, and when the
// session ends. So each rule has one place.
type Exchange struct {
	s      *Session
	id     uint64
	opened position // of the end of its frames in the outbox
	sent   int      // bytes of the message
	check  HeaderCheck

	*answerBox             // nil after Release
	mark       bool        // of the answer
	received   atomic.Bool // Recv has returned the answer
	waited     atomic.Bool // Recv was called

	// Set with the session's mu held, before wake receives its value.
	answered bool    // the peer has ended the stream, with the answer
	st       *Stream // nil: it is not made
}

// answerBox is what the exchanges of a session use one after the other. Once
// Recv has returned the answer, no other goroutine uses it.
type answerBox struct {
	wake   chan struct{} // receives one value, when answered or st is set
	answer []byte        // valid once wake has received a value and answered is set
	timer  *time.Timer   // of a Recv with a deadline; nil: there was none
}

// maxExchanged is the size in bytes of the largest message of an exchange. A
// larger one is in memory that is pooled by size.
const maxExchanged = maxLight - 512

// maxKeptAnswer is the capacity in bytes of the largest answer whose memory is
// kept with an exchange in the pool.
const maxKeptAnswer = 512

// Recv waits for the answer and returns it. It is valid until Release or Free.
// If ok is false, what has happened needs the Stream: the caller goes on with
// that. Only the first Recv can return the answer. It waits until ctx ends, or
// until a deadline that is not zero, which is cheaper than one of ctx.
func (x *Exchange) Recv(ctx context.Context, deadline time.Time) (m Message, ok bool) {
	if !x.waited.CompareAndSwap(false, true) {
		return Message{}, false
	}
	if !x.await(ctx, deadline) {
		x.Stream() // unless the answer is about to arrive
		<-x.wake
	}
	if !x.answered {
		return Message{}, false
	}
	x.received.Store(true)
	return Message{Bytes: x.answer, Mark: x.mark, Last: true}, true
}

// await waits for wake. It reports false if ctx ends, or the deadline passes,
// before.
func (x *Exchange) await(ctx context.Context, deadline time.Time) bool {
	if x.s.readUntil(ctx, deadline, x.wake) {
		return true
	}
	if deadline.IsZero() {
		return awaitOr(ctx, x.wake) == nil
	}
	defer x.startTimer(time.Until(deadline)).Stop()
	select {
	case <-x.wake:
		return true
	case <-ctx.Done():
	case <-x.timer.C:
	}
	return false
}

func (b *answerBox) startTimer(d time.Duration) *time.Timer {
	if b.timer == nil {
		b.timer = time.NewTimer(d)
	} else {
		b.timer.Reset(d)
	}
	return b.timer
}

// Stream returns the Stream, and makes it if it is not made. After the answer it
// is a stream that has ended in both directions.
func (x *Exchange) Stream() *Stream {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	return x.s.makeStream(x)
}

// Close is Stream.Close.
func (x *Exchange) Close() {
	if !x.received.Load() {
		_ = x.Stream().Close() // never fails
	}
}

// Release ends the use of the answer that Recv has returned. The exchange
// remains as it is after the answer; what others can use again leaves it.
func (x *Exchange) Release() {
	next := &Exchange{answerBox: x.answerBox}
	x.answerBox = nil
	next.renew()
	x.s.exchangePool.Put(next)
}

// Free is Stream.Free. The caller promises that no goroutine uses the exchange
// or its answer any more.
func (x *Exchange) Free() {
	if !x.received.Load() {
		x.Stream().Free()
		return
	}
	s := x.s
	x.renew()
	s.exchangePool.Put(x)
}

// renew resets the exchange to a new one, except for what others can use again.
func (x *Exchange) renew() {
	box := x.answerBox
	if box.answer = box.answer[:0]; cap(box.answer) > maxKeptAnswer {
		box.answer = nil
	}
	*x = Exchange{answerBox: box}
}

// insertExchange makes x the exchange of the next stream, whose only message is
// queued; mu is held.
func (s *Session) insertExchange(x *Exchange, opened position, sent int) {
	id := s.streams.nextID
	s.streams.nextID += 2
	if old := s.streams.exchanges.occupant(id); old != nil {
		s.makeStream(old)
	}
	x.s, x.id, x.opened, x.sent = s, id, opened, sent
	s.streams.insertExchange(x)
}

// newExchange returns an exchange that has no stream yet.
func (o *openCall) newExchange() *Exchange {
	x, _ := o.s.exchangePool.Get().(*Exchange)
	if x == nil {
		x = &Exchange{answerBox: &answerBox{wake: make(chan struct{}, 1)}}
	}
	x.check = o.check
	return x
}

// makeStream returns the Stream of an exchange; mu is held.
func (s *Session) makeStream(x *Exchange) *Stream {
	if x.st != nil {
		return x.st
	}
	st := s.initStream(s.streams.pool.getLocal(), x.id)
	st.opened, st.send.pos = x.opened, x.opened
	st.send.begun, st.send.ended = true, true
	st.send.window.spend(x.sent)
	st.recv.header.check = x.check
	x.st = st
	if x.answered {
		st.open.Store(0)
		st.recv.end(nil)
		st.removed, st.endedByPeer = true, true
		return st
	}
	st.open.Store(1)
	s.streams.replaceExchange(x)
	x.wake <- struct{}{}
	s.interruptRead()
	return st
}

// store takes the answer over from the reader goroutine, which then wakes the
// Recv.
func (x *Exchange) store(answer []byte, mark bool) {
	x.answer = append(x.answer, answer...)
	x.mark = mark
}
