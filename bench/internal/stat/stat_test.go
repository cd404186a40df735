package stat_test

import (
	"slices"
	"testing"
	"time"

	"github.com/parley-rpc/parley/bench/internal/stat"
)

func TestQuantileIsTheSmallestValueOfAtLeastThatRank(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i // not sorted
	}
	for _, c := range []struct {
		values []int
		q      float64
		want   int
	}{
		{nil, 0.5, 0},
		{[]int{7}, 0.99, 7},
		{[]int{3, 1, 2}, 0.5, 2},
		{[]int{3, 1, 2}, 0, 1},
		{[]int{3, 1, 2}, 1, 3},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := stat.Quantile(c.values, c.q); got != c.want {
			t.Errorf("Quantile(%v, %v) = %d, want %d", c.values, c.q, got, c.want)
		}
	}
}

func TestQuantileLeavesTheOrderAlone(t *testing.T) {
	values := []time.Duration{3, 1, 2}
	stat.Quantile(values, 0.5)
	if !slices.Equal(values, []time.Duration{3, 1, 2}) {
		t.Errorf("the values are %v now", values)
	}
}

func TestSummarizeTellsTheMiddleAndTheEnds(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   stat.Summary
	}{
		{nil, stat.Summary{}},
		{[]float64{4}, stat.Summary{Median: 4, Min: 4, Max: 4}},
		{[]float64{5, 1}, stat.Summary{Median: 3, Min: 1, Max: 5}},
		{[]float64{9, 1, 2}, stat.Summary{Median: 2, Min: 1, Max: 9}},
		{[]float64{8, 1, 2, 4}, stat.Summary{Median: 3, Min: 1, Max: 8}},
	} {
		if got := stat.Summarize(c.values); got != c.want {
			t.Errorf("Summarize(%v) = %+v, want %+v", c.values, got, c.want)
		}
	}
}
