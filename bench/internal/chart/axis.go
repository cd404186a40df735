package chart

import (
	"math"
	"slices"
)

// axis maps values to coordinates.
type axis struct {
	from, to float64 // coordinates of low and high
	low      float64
	high     float64
	scale    func(float64) float64
}

func linear(v float64) float64 { return v }

func (a axis) at(v float64) float64 {
	low, high := a.scale(a.low), a.scale(a.high)
	if high == low {
		return a.from
	}
	return a.from + (a.scale(v)-low)/(high-low)*(a.to-a.from)
}

// steps returns about five round values, from 0 to one that is at least high.
func steps(high float64) (ticks []float64) {
	if high <= 0 {
		return []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(high/4)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		if step*factor*5 >= high {
			step *= factor
			break
		}
	}
	for i := 0; ; i++ {
		ticks = append(ticks, step*float64(i))
		if ticks[i] >= high {
			return ticks
		}
	}
}

// powers returns 1, 2 and 5 times powers of ten, around the values.
func powers(values []float64) (ticks []float64) {
	low, high := slices.Min(values), slices.Max(values)
	for p := math.Floor(math.Log10(low)); ; p++ {
		for _, factor := range []float64{1, 2, 5} {
			tick := factor * math.Pow(10, p)
			if tick <= low {
				ticks = ticks[:0]
			}
			ticks = append(ticks, tick)
			if tick >= high {
				return ticks
			}
		}
	}
}

// minimum and maximum return 0 for no values.
func minimum(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Min(values)
}

func maximum(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}

// distinct sorts values and leaves out repetitions.
func distinct(values []float64) []float64 {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}
