package report

import (
	"fmt"
	"math"
	"strconv"

	"github.com/parley-rpc/parley/bench/internal/stat"
)

// Number formats a number with three digits or more: 0.0123, 1.23, 12.3, 123,
// 12,345.
func Number(v float64) string {
	if v < 0 {
		return "-" + Number(-v)
	}
	switch {
	case v >= 99.95:
		return thousands(int64(math.Round(v)))
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 0.0995 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Spread formats a median with the minimum and the maximum of the rounds.
func Spread(s stat.Summary) string {
	return fmt.Sprintf("%s (%s .. %s)", Number(s.Median), Number(s.Min), Number(s.Max))
}

// times formats a ratio.
func times(v float64) string { return Number(v) + "x" }

// plain formats a chosen number with no more digits than it has.
func plain(v float64) string {
	if v == math.Trunc(v) {
		return thousands(int64(v))
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
