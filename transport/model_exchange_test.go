package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"github.com/parley-rpc/parley/transport"
)

// exchangeHeader is the header of the world's streams that begin as exchanges.
const exchangeHeader = "exchange"

// exchangeMessages makes exchanges, one after the other. Their requests and
// responses are messages with number 0, and the model is: what arrives is one
// of these, whole, or the stream was abandoned.
func (w *world) exchangeMessages(s *transport.Session, side transport.Side, actor uint64) {
	rnd := rand.New(rand.NewPCG(w.seed, 2*actor+uint64(side)+1<<32))
	for !w.over.Load() {
		msg := exchanged(rnd)
		x, st, sent, err := s.OpenExchange(w.t.Context(), []byte(exchangeHeader), msg, transport.ExchangeOptions{Mark: msg[4]&1 != 0, AwaitAnswer: rnd.IntN(4) > 0})
		switch {
		case err != nil:
			return
		case x != nil:
			w.receiveAnswer(x, rnd)
		default:
			if !sent && st.Send(w.t.Context(), msg, transport.SendOptions{Mark: msg[4]&1 != 0, End: true}) != nil {
				_ = st.Close()
			}
			w.receiveExchanged(st)
			_ = st.Close()
		}
		pause(w.t.Context(), time.Duration(rnd.IntN(30))*time.Millisecond)
	}
}

// exchanged returns a message with number 0.
func exchanged(rnd *rand.Rand) []byte {
	size := 5 + rnd.IntN(200)
	if rnd.IntN(8) == 0 {
		size = 5 + rnd.IntN(40_000)
	}
	return fill(make([]byte, size), 0)
}

func (w *world) checkExchanged(m transport.Message) {
	if len(m.Bytes) < 5 || !bytes.Equal(m.Bytes, fill(make([]byte, len(m.Bytes)), 0)) || m.Mark != (m.Bytes[4]&1 != 0) {
		w.t.Errorf("a message of %d bytes was never sent", len(m.Bytes))
	}
	w.exchanges.Add(1)
}

func (w *world) receiveAnswer(x *transport.Exchange, rnd *rand.Rand) {
	w.steps.Add(1)
	ctx, cancel := w.t.Context(), func() {}
	var deadline time.Time
	switch rnd.IntN(12) {
	case 0:
		x.Close()
		return
	case 1, 2:
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(100))*time.Millisecond)
	case 3:
		pause(ctx, time.Duration(rnd.IntN(300))*time.Millisecond)
	case 4:
		x.Stream()
	case 5, 6:
		deadline = time.Now().Add(time.Duration(rnd.IntN(100)) * time.Millisecond)
	}
	m, ok := x.Recv(ctx, deadline)
	cancel()
	if ok {
		w.checkExchanged(m)
		if rnd.IntN(3) == 0 {
			x.Release()
			x.Close()
			return
		}
	} else {
		w.receiveExchanged(x.Stream())
	}
	if rnd.IntN(2) == 0 {
		x.Free()
	} else {
		x.Close()
	}
}

// receiveExchanged receives the only message of a stream.
func (w *world) receiveExchanged(st *transport.Stream) {
	for n := 0; ; n++ {
		w.steps.Add(1)
		m, err := st.Recv(w.t.Context(), nil)
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			w.t.Errorf("stream %d had %d messages", st.ID(), n)
			return
		case err != nil:
			return
		}
		w.checkExchanged(m)
	}
}

// worldRequest is the accepting end of an exchange.
type worldRequest struct {
	w      *world
	served transport.Served
}

func (r *worldRequest) Served() *transport.Served { return &r.served }
func (r *worldRequest) Abort(error)               {}

func (r *worldRequest) Start(header, msg []byte, mark bool) *transport.ResetError {
	if string(header) != exchangeHeader { // a stream with one message, which this end abandons
		r.w.start(func() { _ = r.served.Stream().Close() })
		return nil
	}
	r.w.checkExchanged(transport.Message{Bytes: msg, Mark: mark})
	seed := rand.Uint64()
	r.w.start(func() {
		rnd := rand.New(rand.NewPCG(r.w.seed, seed))
		pause(r.w.t.Context(), time.Duration(rnd.IntN(20))*time.Millisecond)
		var trailer []byte
		if rnd.IntN(4) == 0 {
			trailer = []byte("trailer")
		}
		if res := exchanged(rnd); rnd.IntN(4) > 0 && r.served.Respond(res, res[4]&1 != 0, trailer) {
			return
		}
		st := r.served.Stream()
		r.w.respond(st, rnd)
		_ = st.Close()
	})
	return nil
}

// respond ends a stream in some way.
func (w *world) respond(st *transport.Stream, rnd *rand.Rand) {
	ctx, res := w.t.Context(), exchanged(rnd)
	opts := transport.SendOptions{Mark: res[4]&1 != 0}
	switch rnd.IntN(5) {
	case 0:
		st.Reset(300, "no")
	case 1:
		_ = st.CloseSend(ctx, []byte("trailer")) // the peer may have reset the stream
	case 2:
		if st.SendHeader(ctx, []byte("header")) == nil && st.Send(ctx, res, opts) == nil {
			_ = st.CloseSend(ctx, nil)
		}
	default:
		opts.End = true
		_ = st.Send(ctx, res, opts)
	}
}
