package main

import (
	"math"
	"slices"
	"time"
)

// latencies are the times that single requests or records took.
type latencies []time.Duration

// quantile answers in milliseconds what so many of the times do not exceed; NaN when there are none. The times become
// sorted.
func (l latencies) quantile(q float64) float64 {
	if len(l) == 0 {
		return math.NaN()
	}
	if !slices.IsSorted(l) {
		slices.Sort(l)
	}
	at := int(math.Ceil(q*float64(len(l)))) - 1
	return float64(l[min(max(at, 0), len(l)-1)]) / float64(time.Millisecond)
}

// spread is the middle of several runs, with the least and the largest.
type spread struct{ Median, Least, Largest float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	v := slices.Sorted(slices.Values(values))
	middle := v[len(v)/2]
	if len(v)%2 == 0 {
		middle = (v[len(v)/2-1] + middle) / 2
	}
	return spread{middle, v[0], v[len(v)-1]}
}

// ratios divides run by run: those of a pair ran one after the other, under what noise there was.
func ratios(ours, theirs []float64) []float64 {
	var out []float64
	for i := range min(len(ours), len(theirs)) {
		out = append(out, ours[i]/theirs[i])
	}
	return out
}
