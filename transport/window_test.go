package transport

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

// A sender and a receiver, each with its own window, never wait for each other
// and never exceed a limit, for all sizes of pieces and windows.
func TestWindowsNeverWaitForEachOther(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		initial := 16<<10 + rnd.Uint64N(1<<14)
		most := int(16<<10 + rnd.Uint64N(1<<14))
		var b windowBudget
		b.give(rnd.Uint64N(1 << 17))
		out := sendWindow{limit: initial}
		in := newRecvWindow(initial)
		now := time.Unix(0, 0)
		for range 2000 {
			n := rnd.IntN(1 << 16)
			for first := true; n > 0 || first; first = false {
				size, ok := out.piece(n, most)
				if !ok {
					t.Fatalf("seed %d: stuck with %d of %d: %+v", seed, n, out.limit-out.spent, in)
				}
				out.spend(size)
				if !in.receive(uint64(size) + frameCost) {
					t.Fatalf("seed %d: the limit %d was exceeded by %+v", seed, in.limit, out)
				}
				n -= size
				now = now.Add(time.Duration(rnd.IntN(int(growWithin))))
				if in.needsUpdate(uint64(size) + frameCost) {
					if limit := in.update(now, 0, 1<<16, &b); !out.raise(limit) {
						t.Fatalf("seed %d: the limit went back to %d", seed, limit)
					}
				}
			}
		}
		if in.size > 1<<16 || in.size != initial+in.grown {
			t.Errorf("seed %d: a window of %d, grown by %d", seed, in.size, in.grown)
		}
		left := b.left.Load()
		in.giveBack(&b)
		if in.grown != 0 || in.size != initial || b.left.Load() < left {
			t.Errorf("seed %d: the budget was not returned", seed)
		}
	}
}

func TestBudgetIsNeverOverdrawn(t *testing.T) {
	var b windowBudget
	b.give(1000)
	taken := make(chan uint64)
	for range 8 {
		go func() {
			sum := uint64(0)
			for range 1000 {
				if b.take(7) {
					sum += 7
				}
			}
			taken <- sum
		}()
	}
	sum := uint64(0)
	for range 8 {
		sum += <-taken
	}
	if sum != 994 || b.left.Load() != 6 {
		t.Errorf("took %d of 1000, %d are left", sum, b.left.Load())
	}
}

func TestLargestLimitOverflowsNothing(t *testing.T) {
	w := sendWindow{limit: 16 << 10}
	w.raise(frame.MaxVarint)
	for range 1000 {
		if size, ok := w.piece(1<<30, maxPiece); !ok || size != maxPiece {
			t.Fatalf("a piece of %d, %v", size, ok)
		}
		w.spend(maxPiece)
	}
}
