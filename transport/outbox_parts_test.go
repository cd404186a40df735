package transport

import (
	"bytes"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

func TestReplayRetransmitsWhatThePeerHasNot(t *testing.T) {
	r := replay{enabled: true, room: replayRoom{own: 1000}}
	c := newChunk(512)
	var frames [][]byte
	for i := range byte(4) {
		f := frame.Append(nil, frame.Header{Type: frame.TypeData, Stream: 1}, []byte{i})
		frames = append(frames, f)
		c.buf = append(c.buf, f...)
	}
	n := len(frames[0])
	r.sentNow([]segment{{c: c, bytes: c.buf[:2*n], frames: 2}, {c: c, bytes: c.buf[2*n:], frames: 2}}, true)
	if r.rewind(5) || !r.rewind(1) || r.rewind(0) {
		t.Fatal("the peer can have received 1 to 4 frames, and no fewer later")
	}
	var b batch
	if !r.retransmit(&b) {
		t.Fatal("the batch is full")
	}
	if got, want := bytes.Join(b.parts, nil), bytes.Join(frames[1:], nil); !bytes.Equal(got, want) {
		t.Errorf("retransmits %x, not %x", got, want)
	}
	b.done()
	if !r.ack(4) || r.size != 0 || c.uses != 0 {
		t.Errorf("%d bytes are kept, the chunk has %d uses", r.size, c.uses)
	}
}

func TestReplayBoundsWhatIsQueued(t *testing.T) {
	r := replay{enabled: true, room: replayRoom{own: 100}, size: 60}
	if !r.fits(0, 40) || r.fits(1, 40) {
		t.Error("60 of 100 bytes are kept: 40 more must fit, and 41 not")
	}
	r.noteSize(500)
	if !r.fitsUrgent(640) || r.fitsUrgent(641) {
		t.Error("urgent frames may use twice the limit and the largest put")
	}
	r.size = 0
	if !r.fits(0, 5000) {
		t.Error("a large frame must fit alone")
	}
	r.enabled, r.size = false, 1000
	if !r.fits(1000, 1000) || !r.fitsUrgent(1<<20) {
		t.Error("replay that is disabled bounds something")
	}
}

func TestUrgentQueueCountsItsBytes(t *testing.T) {
	q := urgentQueue{limit: 10}
	q.append(&q.linkControl, []byte("link"))
	q.append(&q.priority, []byte("prio"))
	if !q.fits(2) || q.fits(3) {
		t.Error("8 of 10 bytes are used")
	}
	q.prepend([]byte("first"))
	q.hasPong = true
	q.appendPong()
	var b batch
	q.bytes -= b.take(&q.linkControl)
	if got := bytes.Join(b.parts, nil); !bytes.HasPrefix(got, []byte("firstlink")) || len(got) <= 9 {
		t.Errorf("the batch is %q", got)
	}
	b.done()
	q.linkControl.popTaken()
	q.append(&q.linkControl, []byte("lost"))
	if q.dropLinkControl(); q.bytes != 4 || q.empty() {
		t.Errorf("%d bytes are left", q.bytes)
	}
	if q.clear(); !q.empty() {
		t.Error("something is left")
	}
}

func TestDataQueueCountsItsBytes(t *testing.T) {
	q := dataQueue{limit: 100}
	if !q.fits(1000) {
		t.Error("a large frame must fit alone")
	}
	pos := q.append(&q.heavy, new(turn), []outgoing{data(1, make([]byte, 50))})
	q.appendFrame(&q.light, []byte("encoded"))
	if l, offset := q.laneOf(pos); l != &q.heavy || q.queued != int(offset)+7 || q.waitingBytes() != q.queued || q.fits(100) {
		t.Errorf("%d bytes after offset %d", q.queued, offset)
	}
	if q.isTaken(pos) {
		t.Error("a frame counts as taken that waits")
	}
	var b batch
	q.take(&b)
	b.done()
	if !q.empty() || q.queued != 0 || !q.isTaken(pos) {
		t.Errorf("%d bytes are left", q.queued)
	}
}
