package transport

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAcknowledgementsOneByOneMoveNothingThatIsKept is about a peer that acknowledges each
// frame by itself while many are kept: if the others moved up each time, it would make this
// end copy all of them for each 3 bytes that it sends.
func TestAcknowledgementsOneByOneMoveNothingThatIsKept(t *testing.T) {
	const frames = 20_000
	var r replay
	c := newChunk(1)
	for range frames {
		r.keep([]segment{{c: c, frames: 1}})
	}
	c.uses++ // it stays
	last := &r.kept.all()[frames-1]
	for n := range uint64(frames) {
		if !r.ack(n + 1) {
			t.Fatalf("%d frames cannot be acknowledged", n+1)
		}
		if left := r.kept.all(); len(left) != frames-int(n)-1 || len(left) > 0 && &left[len(left)-1] != last {
			t.Fatalf("frame %d is acknowledged: %d segments are left, and the last has moved", n+1, len(left))
		}
	}
}

// TestQueueMovesEachItemOnceOnAverage has items put in and taken out in turns, with many
// in between.
func TestQueueMovesEachItemOnceOnAverage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var q fifo[int]
	var model []int
	put, moved := 0, 0
	for range 2000 {
		for range rnd.IntN(100) {
			var first *int
			if q.len() > 0 {
				first = &q.all()[0]
			}
			before := q.len()
			q.push(put)
			if first != nil && first != &q.all()[0] {
				moved += before
			}
			model = append(model, put)
			put++
		}
		for range rnd.IntN(100) {
			if len(model) == 0 {
				break
			}
			if got := q.pop(); got != model[0] {
				t.Fatalf("took %d, want %d", got, model[0])
			}
			model = model[1:]
		}
		if !slices.Equal(q.all(), model) {
			t.Fatalf("holds %v, want %v", q.all(), model)
		}
	}
	if moved > 2*put {
		t.Errorf("%d items were moved for %d that were put in", moved, put)
	}
}
