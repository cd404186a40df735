package frame_test

import (
	"math"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/frame"
)

func TestGoAwayWaitDoesNotOverflow(t *testing.T) {
	const longest = 9_223_372_036_854 * time.Millisecond
	for delay, want := range map[uint64]time.Duration{
		0: 0, 1500: 1500 * time.Millisecond,
		uint64(longest / time.Millisecond):   longest,
		uint64(longest/time.Millisecond) + 1: longest,
		frame.MaxVarint:                      longest,
		math.MaxUint64:                       longest,
	} {
		g := frame.GoAway{Delay: delay}
		if got := g.Wait(); got != want {
			t.Errorf("%d ms: %v, want %v", delay, got, want)
		}
	}
}
