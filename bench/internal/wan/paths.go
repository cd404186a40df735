package wan

import (
	"time"

	"github.com/parley-rpc/parley/bench/internal/path"
)

// Paths returns the paths that are measured, in the order of the report.
func Paths() []path.Path {
	same := func(roundTrip time.Duration, rate path.Rate) path.Path {
		return path.Path{RoundTrip: roundTrip, Up: rate, Down: rate}
	}
	return []path.Path{
		same(20*time.Millisecond, 50*path.Megabit),
		same(30*time.Millisecond, 1000*path.Megabit),
		same(100*time.Millisecond, 100*path.Megabit),
		same(200*time.Millisecond, 200*path.Megabit),
		same(100*time.Millisecond, 0),
		{RoundTrip: 300 * time.Millisecond, Up: 10 * path.Megabit, Down: 50 * path.Megabit},
	}
}
