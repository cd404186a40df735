// Package stat summarizes repeated measurements.
package stat

import (
	"cmp"
	"math"
	"slices"
)

// Number is a type that can be summarized.
type Number interface {
	~int | ~int64 | ~float64
}

// Quantile returns the smallest value that at least a share q of the values
// does not exceed: q is 0.5 for the median of an odd number of them. It is 0
// for no values.
func Quantile[T Number](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Summary is the summary of the rounds of a measurement.
type Summary struct {
	Median, Min, Max float64
}

// Summarize returns zeros for no values. The median of an even number of values
// is the mean of the two middle ones.
func Summarize(values []float64) Summary {
	n := len(values)
	if n == 0 {
		return Summary{}
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	return Summary{
		Median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		Min:    sorted[0],
		Max:    sorted[n-1],
	}
}
