package transport

import (
	"bytes"
	"errors"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

// noWriter is the writer of an outbox while there is no link.
var noWriter *attachment

// newTestOutbox returns an outbox of n bytes that may write.
func newTestOutbox(n int) *outbox {
	return newOutbox(&Config{Parameters: Parameters{WriteQueue: n, MaxStreams: 16}}, Dialer)
}

func data(stream uint64, payload []byte) outgoing {
	return outgoing{Header: frame.Header{Type: frame.TypeData, Stream: stream}, payload: payload}
}

func TestWhatIsBeingWrittenIsNotFreedWhenTheQueueIsDropped(t *testing.T) {
	for range 50 { // pools forget things at random under the race detector
		o := newTestOutbox(1 << 20)
		msg := bytes.Repeat([]byte("mine"), 1000)
		if _, err := o.put(viaWriter, new(turn), data(1, msg)); err != nil {
			t.Fatal(err)
		}
		if err := o.putLinkControl(bytes.Repeat([]byte{0x09}, 400)); err != nil {
			t.Fatal(err)
		}
		parts, err := o.yieldAndTake(noWriter)
		if err != nil {
			t.Fatal(err)
		}
		before := bytes.Join(parts, nil)
		o.close(errors.New("ended"))
		o.discard()

		for _, size := range chunkSizes { // another session takes buffers
			c := newChunk(size)
			c.buf = append(c.buf, bytes.Repeat([]byte("another"), size/7)...)
		}
		if !bytes.Equal(bytes.Join(parts, nil), before) {
			t.Fatal("the batch at the link was overwritten")
		}
		o.written()
		o.discard()
		if _, err := o.yieldAndTake(noWriter); err == nil {
			t.Fatal("something is left to write")
		}
	}
}

func TestRoomIsCountedExactly(t *testing.T) {
	o := newTestOutbox(1000)
	put := func(n int) *waiter {
		t.Helper()
		p, err := o.put(viaWriter, new(turn), data(1, make([]byte, n)))
		if err != nil {
			t.Fatal(err)
		}
		return p.wait
	}
	if put(5000) != nil {
		t.Fatal("a frame larger than the queue cannot go alone")
	}
	first, second, third := put(0), put(900), put(1)
	if first == nil || second == nil || third == nil {
		t.Fatal("a full queue takes more")
	}
	o.giveUp(second)
	if _, err := o.yieldAndTake(noWriter); err != nil {
		t.Fatal(err)
	}
	o.written()
	<-first.ready
	<-third.ready
	if !first.granted || !third.granted || second.granted {
		t.Errorf("granted %v %v %v", first.granted, second.granted, third.granted)
	}
	o.giveUp(third) // it had its share
	if _, err := o.putGranted(first, new(turn), data(1, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.yieldAndTake(noWriter); err != nil {
		t.Fatal(err)
	}
	if o.data.queued != 0 || o.data.waitingBytes() != 0 {
		t.Errorf("%d bytes are said to wait, %d do", o.data.queued, o.data.waitingBytes())
	}
	o.close(errors.New("ended"))
	if _, err := o.put(viaWriter, new(turn), data(1, nil)); err == nil {
		t.Error("a closed queue takes more")
	}
}

func TestBatchStaysWithinABoundAndKeepsTheOrder(t *testing.T) {
	o := newTestOutbox(1 << 20)
	var want []byte
	var t1 turn
	for i := range 40 {
		f := data(uint64(i+1), bytes.Repeat([]byte{byte(i)}, 1000*i))
		if p, err := o.put(viaWriter, &t1, f); p.wait != nil || err != nil {
			t.Fatal(p.wait, err)
		}
		want = frame.Append(want, f.Header, f.payload)
	}
	var got []byte
	for !o.empty() {
		parts, err := o.yieldAndTake(noWriter)
		if err != nil {
			t.Fatal(err)
		}
		batch := bytes.Join(parts, nil)
		if len(batch) > maxBatch+maxExcess {
			t.Errorf("a batch of %d bytes", len(batch))
		}
		for at := 0; at < len(batch); {
			if at >= maxBatch {
				t.Errorf("a frame begins at %d in a batch", at)
			}
			h, n, err := frame.ParseHeader(batch[at:])
			if err != nil {
				t.Fatal(err)
			}
			at += n + int(h.Length)
		}
		got = append(got, batch...)
		o.written()
	}
	if !bytes.Equal(got, want) {
		t.Error("what was written is not what was queued")
	}
	if n := o.data.light.frames.chunks.len() + o.data.heavy.frames.chunks.len(); n != 0 {
		t.Errorf("%d buffers are kept", n)
	}
}

// TestNothingFollowsAFrameThatFillsAMessageOfTheLink has a header that is
// larger than what may precede a frame, and a small frame after it (rule L9).
func TestNothingFollowsAFrameThatFillsAMessageOfTheLink(t *testing.T) {
	o := newTestOutbox(1 << 20)
	large := outgoing{Header: frame.Header{Type: frame.TypeOpen, Stream: 1}, payload: make([]byte, maxBatch)}
	p, err := o.put(viaWriter, new(turn), large)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.putReset(resetFrame{stream: 1, local: true, after: p.pos, code: ResetCancel}); err != nil {
		t.Fatal(err)
	}
	parts, err := o.yieldAndTake(noWriter)
	if want := frame.Append(nil, large.Header, large.payload); err != nil || !bytes.Equal(bytes.Join(parts, nil), want) {
		t.Fatalf("%d bytes in place of %d, %v", len(bytes.Join(parts, nil)), len(want), err)
	}
}

func TestAnswerToAPingIsWrittenWhileTheSessionEnds(t *testing.T) {
	o := newTestOutbox(1000)
	a := &attachment{writer: func() {}} // the test itself writes
	o.attach(a, []byte("first"))
	if _, err := o.yieldAndTake(a); err != nil {
		t.Fatal(err)
	}
	o.written()
	o.putPong([frame.PingLen]byte{})
	o.close(errDetached)
	parts, err := o.yieldAndTake(a)
	if err != nil || len(parts) != 1 || len(parts[0]) != 3+frame.PingLen {
		t.Fatalf("got %q, %v", parts, err)
	}
	o.written()
	if parts, err := o.yieldAndTake(a); err == nil {
		t.Errorf("then %q", parts)
	}
}

func TestUrgentFramesAreBounded(t *testing.T) {
	o := newTestOutbox(1000)
	var err error
	n := 0
	for ; err == nil && n < 1<<20; n += 10 {
		err = o.putLinkControl(make([]byte, 10))
	}
	if !errors.Is(err, errFlood) || n > 80<<10 {
		t.Errorf("%d bytes were taken: %v", n, err)
	}
	if err := o.putReset(resetFrame{stream: 1, code: ResetCancel}); !errors.Is(err, errFlood) {
		t.Errorf("a RESET of a stream of the peer: %v", err)
	}
	if err := o.putReset(resetFrame{stream: 2, local: true, code: ResetCancel}); err != nil {
		t.Errorf("a RESET of a stream of our own: %v", err)
	}
}
