package transport

import (
	"bytes"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/frame"
)

// takeStreams takes a batch and returns the streams of its frames, in order.
func takeStreams(t *testing.T, q *dataQueue) (streams []uint64) {
	t.Helper()
	var b batch
	q.take(&b)
	all := bytes.Join(b.parts, nil)
	for len(all) > 0 {
		h, n, err := frame.ParseHeader(all)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, h.Stream)
		all = all[n+int(h.Length):]
	}
	b.done()
	q.popTaken()
	return streams
}

// queue adds a frame of n bytes to the lane that is right for it.
func queue(q *dataQueue, t *turn, h frame.Header, n int) *lane {
	frames := []outgoing{{Header: h, payload: make([]byte, n)}}
	l := q.laneFor(t, sizeOf(frames), frames)
	q.append(l, t, frames)
	return l
}

func dataOf(stream uint64) frame.Header {
	return frame.Header{Type: frame.TypeData, Stream: stream}
}

func TestSmallFramesGoAheadOfLargeOnesOfOtherStreams(t *testing.T) {
	q := &dataQueue{limit: 1 << 20}
	var bulk, call turn
	queue(q, &bulk, dataOf(1), 20<<10)
	queue(q, &bulk, dataOf(1), 20<<10)
	queue(q, &call, dataOf(3), 100)
	if got := takeStreams(t, q); !slices.Equal(got, []uint64{3, 1, 1}) {
		t.Errorf("the order is %d", got)
	}
}

func TestOnlySmallMessagesOfOtherStreamsCountAsBesideLargeOnes(t *testing.T) {
	small := []outgoing{data(3, make([]byte, 100))}
	open := outgoing{Header: frame.Header{Type: frame.TypeOpen, Stream: 3}}
	q := &dataQueue{limit: 1 << 20}
	var bulk turn
	if q.overtakes(&q.light, new(turn), small) {
		t.Error("there is no large frame")
	}
	queue(q, &bulk, dataOf(1), 20<<10)
	for _, c := range []struct {
		name   string
		turn   *turn
		frames []outgoing
		want   bool
	}{
		{"message", new(turn), small, true},
		{"call", new(turn), append([]outgoing{open}, small...), true},
		{"open, which a large message may follow", new(turn), []outgoing{open}, false},
		{"rest of a large message", &bulk, small, false},
	} {
		if got := q.overtakes(&q.light, c.turn, c.frames); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCallsCountAsBesideBusyStreamsAndMessagesDoNot(t *testing.T) {
	q := &dataQueue{limit: 1 << 20}
	queue(q, &turn{busy: true, finish: 1}, dataOf(1), 100)
	if q.heavy.empty() {
		t.Fatal("the frame of a busy stream is light")
	}
	message, response := data(3, make([]byte, 100)), data(5, make([]byte, 100))
	response.Flags = frame.FlagEnd
	open := outgoing{Header: frame.Header{Type: frame.TypeOpen, Stream: 7}}
	for _, c := range []struct {
		name   string
		frames []outgoing
		want   bool
	}{
		{"message", []outgoing{message}, false},
		{"request", []outgoing{open, message}, true},
		{"response", []outgoing{response}, true},
	} {
		if got := q.overtakes(&q.light, new(turn), c.frames); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFramesOfAStreamStayInOrder(t *testing.T) {
	q := &dataQueue{limit: 1 << 20}
	var bulk turn
	queue(q, &bulk, dataOf(1), 20<<10)
	if l := queue(q, &bulk, dataOf(1), 10); l != &q.heavy {
		t.Error("a small frame overtakes a large one of its stream")
	}
	takeStreams(t, q)
	if l := queue(q, &bulk, dataOf(1), 10); l != &q.light {
		t.Error("a small frame waits behind those of other streams, though its own are gone")
	}
}

// The peer counts open streams: the OPEN of the next stream may need the place
// of one whose end is queued, and ids must ascend.
func TestOpenStaysBehindEarlierOpensAndEndsOfStreams(t *testing.T) {
	for name, first := range map[string]frame.Header{
		"open": {Type: frame.TypeOpen, Stream: 1},
		"end":  {Type: frame.TypeData, Flags: frame.FlagEnd, Stream: 1},
	} {
		t.Run(name, func(t *testing.T) {
			q := &dataQueue{limit: 1 << 20}
			var one, two, three turn
			queue(q, &one, first, 20<<10)
			if l := queue(q, &two, frame.Header{Type: frame.TypeOpen, Stream: 3}, 10); l != &q.heavy {
				t.Error("an OPEN overtakes it")
			}
			if got := takeStreams(t, q); !slices.Equal(got, []uint64{1, 3}) {
				t.Errorf("the order is %d", got)
			}
			if l := queue(q, &three, frame.Header{Type: frame.TypeOpen, Stream: 5}, 10); l != &q.light {
				t.Error("an OPEN waits though nothing comes before it")
			}
		})
	}
}

func TestManySmallFramesDoNotStopLargeOnes(t *testing.T) {
	q := &dataQueue{limit: 1 << 30}
	var bulk turn
	queue(q, &bulk, dataOf(1), 20<<10)
	bytes := 0
	for q.heavy.taken == 0 {
		for range 20 {
			var call turn
			queue(q, &call, dataOf(3), 1000)
		}
		bytes += 1000 * len(takeStreams(t, q))
		if bytes > 4*maxLightAhead {
			t.Fatalf("%d bytes of small frames are sent and the large one waits", bytes)
		}
	}
	if q.ahead != 0 {
		t.Error("small frames go on to wait")
	}
}

func TestStreamsThatWaitAreServedInTurnByBytes(t *testing.T) {
	var q fairQueue
	turns := []*turn{new(turn), new(turn)}
	sizes := []int{32 << 10, 6 << 10}
	sent := make([]int, 2)
	waiting := []*waiter{q.add(turns[0], sizes[0]), q.add(turns[1], sizes[1])}
	for range 1000 {
		n := 1
		q.grant(func(*waiter) bool { n--; return n >= 0 })
		for i, w := range waiting {
			if w.granted {
				sent[i] += sizes[i]
				waiting[i] = q.add(turns[i], sizes[i])
			}
		}
	}
	if ratio := float64(sent[0]) / float64(sent[1]); ratio < 0.95 || ratio > 1.05 {
		t.Errorf("%d bytes to one, %d to the other", sent[0], sent[1])
	}
}

func TestStreamThatWasIdleGetsNoCreditForThat(t *testing.T) {
	var q fairQueue
	var busy, idle turn
	for range 100 {
		q.pass(&busy, 1000)
	}
	first := q.add(&idle, 1500)
	second := q.add(&idle, 1000) // as if it sent much at once
	third := q.add(&busy, 1000)
	n := 2
	q.grant(func(*waiter) bool { n--; return n >= 0 })
	if !first.granted || second.granted || !third.granted {
		t.Errorf("granted %v %v %v, want the first frame of each", first.granted, second.granted, third.granted)
	}
	if q.leave(second) || !q.leave(first) || q.len() != 0 {
		t.Error("a place that was left counts as granted, or the other way round")
	}
	lost := q.add(&busy, 1)
	q.dismiss()
	<-lost.ready
	if lost.granted || q.leave(lost) {
		t.Error("a wait that was dismissed counts as granted")
	}
}
