package transport

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAcknowledgementsOneByOneMoveNothingThatIsKept has a peer that
// acknowledges each frame separately while many are kept. If the others moved
// each time, each 3 bytes of the peer would make this end copy all of them.
func TestAcknowledgementsOneByOneMoveNothingThatIsKept(t *testing.T) {
	const frames = 20_000
	var r replay
	c := newChunk(1)
	for range frames {
		r.keep([]segment{{c: c, frames: 1}})
	}
	c.uses++ // the item stays
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

// TestQueueMovesEachItemOnceOnAverage adds and removes items in turns, with
// many in the queue.
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
