package transport

import (
	"bytes"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

func TestPiecesOfAMessageAreCheckedTogether(t *testing.T) {
	var m arrivingMessage
	more, mark := frame.FlagMore, frame.FlagMark
	if err := m.add(more|mark, 60, 100); err != nil {
		t.Fatal(err)
	}
	if err := m.add(more, 1, 100); err == nil || err.Code != ResetProtocol {
		t.Errorf("the mark changes: %v", err)
	}
	if err := m.add(more|mark, 41, 100); err == nil || err.Code != ResetLimit {
		t.Errorf("101 bytes: %v", err)
	}
	m = arrivingMessage{}
	for _, n := range []int{60, 40} { // two messages
		if err := m.add(0, n, 60); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if m.longest != 0 {
		t.Errorf("a message of one piece counts as one of %d bytes in several", m.longest)
	}
}

func TestHeaderIsSettledOnce(t *testing.T) {
	var h recvHeader
	done := h.whenSettled()
	h.settle([]byte("first"))
	<-done
	h.settle([]byte("second"))
	if string(h.bytes) != "first" || h.whenSettled() != nil {
		t.Errorf("%+v", h)
	}
}

func TestMessageBufferGrowsToWhatIsNeededAtMostTwice(t *testing.T) {
	m := messageBuffer{bytes: make([]byte, 100<<10)}
	for _, c := range []struct{ need, longest, limit, next, best int }{
		{100<<10 + 1, 0, 1 << 20, 256 << 10, 1},
		{100<<10 + 1, 300 << 10, 1 << 20, 256 << 10, 512 << 10},
		{100<<10 + 1, 300 << 10, 120 << 10, 120 << 10, 120 << 10},
	} {
		if next, best := m.sizes(c.need, c.longest, c.limit); next != c.next || best != c.best {
			t.Errorf("%+v: sizes %d, %d", c, next, best)
		}
	}
}

func TestInterruptedMessageIsContinued(t *testing.T) {
	a := assembly{limit: 1 << 20}
	m := messageBuffer{bytes: []byte("half of ")}
	if !a.reserve(&m.claim, 100) {
		t.Fatal("no memory")
	}
	m.interrupt(&a)
	if !m.interrupted || a.used != 100 {
		t.Errorf("interrupted %v, %d bytes are claimed", m.interrupted, a.used)
	}
	m.start(nil, nil)
	if string(m.bytes) != "half of " || m.interrupted || m.saved != nil {
		t.Errorf("%+v", &m)
	}
	m.reset()
	m.interrupt(&a)
	if m.interrupted || a.used != 0 {
		t.Errorf("nothing has arrived: interrupted %v, %d bytes are claimed", m.interrupted, a.used)
	}
}

func TestBatchLeavesLargeMessagesToTheLock(t *testing.T) {
	var in inbox
	in.put(frame.FlagMark, []byte("one"))
	in.put(0, bytes.Repeat([]byte("x"), 100))
	in.put(frame.FlagMore, []byte("two"))
	b := readBatch{maxCost: 100}
	if !b.takeOver(&in) || !in.empty() || b.takeOver(&in) {
		t.Fatal("the inbox was not taken over once")
	}
	m, ok := b.nextMessage()
	if !ok || string(m.Bytes) != "one" || !m.Mark || b.cost != 3+frameCost {
		t.Errorf("%+v, %v, cost %d", m, ok, b.cost)
	}
	if m, ok := b.nextMessage(); ok {
		t.Errorf("a message beyond the cost: %+v", m)
	}
	b.maxCost = 1000
	if _, ok := b.nextMessage(); !ok {
		t.Error("the second message is missing")
	}
	b.returnBorrowed()
	if m, ok := b.nextMessage(); ok {
		t.Errorf("a part of a message: %+v", m)
	}
	if b.clear(); !b.empty() {
		t.Error("something is left")
	}
}
