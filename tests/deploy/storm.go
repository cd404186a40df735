package main

import (
	"slices"
	"time"
)

// storm returns the maximum number of events within any window; times are in
// milliseconds.
func storm(times []int64, window time.Duration) int {
	sorted := slices.Sorted(slices.Values(times))
	most, first := 0, 0
	for i, t := range sorted {
		for t-sorted[first] >= window.Milliseconds() {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
