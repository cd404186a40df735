package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/transport"
	"github.com/parley-rpc/parley/transport/pipe"
)

var modelSeed = flag.Uint64("model.seed", 0, "run the model test with this seed only")

// TestStreamsBehaveLikeTheirModel makes two ends do random things to many
// streams at once. The model: in each direction of a stream, the received
// messages are a prefix of the sent ones, in order, once and whole. They are
// all of them if the direction ended properly.
func TestStreamsBehaveLikeTheirModel(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if *modelSeed != 0 {
		seeds = []uint64{*modelSeed}
	} else {
		seeds = append(seeds, rand.Uint64())
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("-model.seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed).run() })
		})
	}
}

const (
	worldSteps   = 4000 // of all actors together
	worldStreams = 40   // that each end opens at once
)

// world is two sessions and the state of their streams.
type world struct {
	t         *testing.T
	seed      uint64
	ends      [2]*transport.Session
	streams   int // that each end opens at once, and as many exchanges
	steps     atomic.Int64
	exchanges atomic.Int64 // messages of exchanges that arrived
	busy      atomic.Int64 // actors that use a stream, or may open one
	over      atomic.Bool  // no more streams are opened

	mu   sync.Mutex
	ways map[way]*history
}

// way is one direction of a stream.
type way struct {
	stream uint64
	from   transport.Side
}

// history is the model of one direction.
type history struct {
	mu     sync.Mutex
	sent   int  // messages that were passed to Send
	closed bool // the end was sent properly
	got    int
}

func newWorld(t *testing.T, seed uint64) *world {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := &world{t: t, seed: seed, streams: worldStreams, ways: make(map[way]*history)}
	dl, al := pipe.New(pipe.Config{Latency: time.Duration(rnd.IntN(50)) * time.Millisecond, Capacity: 1 + rnd.IntN(1<<17)})
	for side, link := range []*pipe.End{dl, al} {
		cfg := transport.Config{
			Parameters: transport.Parameters{
				MaxStreams: 16 + rnd.IntN(60), MaxMessage: 200_000, MaxReassembly: 200_000 + rnd.IntN(200_000), MaxFrame: 16<<10 + rnd.IntN(48<<10),
				InitialWindow: 16<<10 + rnd.IntN(1<<16), WriteQueue: 1 + rnd.IntN(1<<17),
			},
		}
		cfg.NewRequest = func() transport.Request { return &worldRequest{w: w} }
		s, err := transport.NewSession(link, transport.Side(side), cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.ends[side] = s
	}
	return w
}

func (w *world) run() {
	for side, s := range w.ends {
		for i := range w.streams {
			w.start(func() { w.openStreams(s, transport.Side(side), uint64(i)) })
			w.start(func() { w.exchangeMessages(s, transport.Side(side), uint64(i)) })
		}
		go w.acceptStreams(s, transport.Side(side))
	}
	begin := time.Now()
	for w.busy.Load() > 0 {
		if pause(w.t.Context(), time.Second); time.Since(begin) > 10*time.Hour {
			w.t.Fatal("streams do not come to an end")
		}
		w.over.Store(w.steps.Load() >= worldSteps)
		if err := errors.Join(w.ends[0].Err(), w.ends[1].Err()); err != nil {
			w.t.Errorf("a session ended: %v", err)
			break
		}
	}
	synctest.Wait()
	for side, s := range w.ends {
		if left := s.Residue(); len(left) > 0 {
			w.t.Errorf("all streams are closed, and the %v holds %v", transport.Side(side), left)
		}
		s.Close(transport.CloseNormal, "")
	}
	messages := 0
	for _, h := range w.ways {
		messages += h.got
	}
	w.t.Logf("%d steps, %d directions, %d messages", w.steps.Load(), len(w.ways), messages)
	if messages < worldSteps/10 || w.exchanges.Load() < worldSteps/20 {
		w.t.Errorf("only %d messages arrived, and %d of exchanges", messages, w.exchanges.Load())
	}
}

func (w *world) start(actor func()) {
	w.busy.Add(1)
	go func() {
		defer w.busy.Add(-1)
		actor()
	}()
}

// pause lets time pass, unless the test ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (w *world) history(stream uint64, from transport.Side) *history {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := way{stream, from}
	if w.ways[key] == nil {
		w.ways[key] = &history{}
	}
	return w.ways[key]
}

func (w *world) openStreams(s *transport.Session, side transport.Side, actor uint64) {
	rnd := rand.New(rand.NewPCG(w.seed, 2*actor+uint64(side)+1))
	for !w.over.Load() {
		st, err := s.Open(w.t.Context(), nil)
		if err != nil {
			return
		}
		w.use(st, side, rnd)
		pause(w.t.Context(), time.Duration(rnd.IntN(30))*time.Millisecond)
	}
}

func (w *world) acceptStreams(s *transport.Session, side transport.Side) {
	for {
		st, err := s.Accept(w.t.Context())
		if err != nil {
			return
		}
		w.start(func() {
			rnd := rand.New(rand.NewPCG(w.seed, st.ID()<<8))
			if string(st.OpenHeader()) == exchangeHeader {
				w.receiveExchanged(st)
				w.respond(st, rnd)
				_ = st.Close()
				return
			}
			w.use(st, side, rnd)
		})
	}
}

// use sends and receives on a stream until each direction has ended, or this end
// abandons it.
func (w *world) use(st *transport.Stream, side transport.Side, rnd *rand.Rand) {
	reading := rand.New(rand.NewPCG(rnd.Uint64(), 0))
	var both sync.WaitGroup
	both.Go(func() { w.send(st, w.history(st.ID(), side), rnd) })
	both.Go(func() { w.receive(st, w.history(st.ID(), 1-side), reading) })
	both.Wait()
	st.Close()
}

// send does random things to this end's sending direction.
func (w *world) send(st *transport.Stream, h *history, rnd *rand.Rand) {
	for range 1 + rnd.IntN(30) {
		w.steps.Add(1)
		switch rnd.IntN(40) {
		case 0:
			st.Reset(300, "had enough")
			return
		case 1:
			st.Close()
			return
		case 2:
			if h.end(func() error { return st.CloseSend(w.t.Context(), nil) }) != nil {
				st.Close()
			}
			return
		case 3:
			if _, err := st.Session().Ping(w.t.Context()); err != nil {
				return
			}
		case 4, 5:
			pause(w.t.Context(), time.Duration(rnd.IntN(200))*time.Millisecond)
		default:
			if w.sendOne(st, h, rnd) != nil {
				return
			}
		}
	}
	msg := h.message(rnd)
	opts := transport.SendOptions{Mark: msg[0]&1 != 0, End: true}
	if h.end(func() error { return st.Send(w.t.Context(), msg, opts) }) != nil {
		st.Close()
	}
}

func (w *world) sendOne(st *transport.Stream, h *history, rnd *rand.Rand) error {
	ctx := w.t.Context()
	if rnd.IntN(20) == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(100))*time.Millisecond)
		defer cancel()
	}
	msg := h.message(rnd)
	err := st.Send(ctx, msg, transport.SendOptions{Mark: msg[0]&1 != 0})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		h.mu.Lock()
		h.sent-- // it will never arrive: the stream was reset, or nothing was sent
		h.mu.Unlock()
		if rnd.IntN(2) == 0 {
			st.Close()
			return err
		}
		return nil
	case errors.Is(err, transport.ErrPartialMessage):
		st.Reset(transport.ResetCancel, "torn")
	}
	return err
}

// end ends the direction with f.
func (h *history) end(f func() error) error {
	h.mu.Lock()
	h.closed = true // before the peer can see it
	h.mu.Unlock()
	return f()
}

// message returns the next message to send: its number, and bytes derived from
// it.
func (h *history) message(rnd *rand.Rand) []byte {
	h.mu.Lock()
	number := h.sent
	h.sent++
	h.mu.Unlock()
	size := 4
	switch rnd.IntN(25) {
	case 0:
		size += rnd.IntN(190_000)
	case 1, 2, 3, 4:
		size += rnd.IntN(20_000)
	default:
		size += rnd.IntN(200)
	}
	return fill(make([]byte, size), uint32(number))
}

// fill makes msg the message with that number.
func fill(msg []byte, number uint32) []byte {
	binary.LittleEndian.PutUint32(msg, number)
	x := uint64(number)<<32 | uint64(len(msg))
	for rest := msg[4:]; len(rest) > 0; {
		x = x*6364136223846793005 + 1442695040888963407
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], x)
		rest = rest[copy(rest, word[:]):]
	}
	return msg
}

// receive does random things to this end's receiving direction.
func (w *world) receive(st *transport.Stream, h *history, rnd *rand.Rand) {
	var buf []byte
	for {
		w.steps.Add(1)
		ctx, cancel := w.t.Context(), func() {}
		switch rnd.IntN(60) {
		case 0:
			st.Close()
			return
		case 1, 2, 3, 4, 5, 6:
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(30))*time.Millisecond)
		case 7, 8:
			pause(ctx, time.Duration(rnd.IntN(300))*time.Millisecond)
		}
		m, err := st.Recv(ctx, buf[:0])
		cancel()
		switch {
		case err == nil:
			buf = m.Bytes
			w.check(st, h, m)
		case errors.Is(err, io.EOF):
			h.mu.Lock()
			if h.got != h.sent || !h.closed {
				w.t.Errorf("stream %d ended after %d of %d messages", st.ID(), h.got, h.sent)
			}
			h.mu.Unlock()
			return
		case !errors.Is(err, context.DeadlineExceeded):
			return
		}
	}
}

func (w *world) check(st *transport.Stream, h *history, m transport.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	want := fill(make([]byte, len(m.Bytes)), uint32(h.got))
	switch {
	case h.got >= h.sent:
		w.t.Errorf("stream %d: message %d was never sent", st.ID(), h.got)
	case string(m.Bytes) != string(want):
		w.t.Errorf("stream %d: message %d is wrong, or not the next", st.ID(), h.got)
	case m.Mark != (want[0]&1 != 0):
		w.t.Errorf("stream %d: message %d has the wrong mark", st.ID(), h.got)
	}
	h.got++
}
