package main

import "slices"

// median of an odd or even number of values.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return 0
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// upperBound is an upper 95 % confidence bound of the median, from the order
// of the values alone: the k-th smallest, where the median lies beyond it with
// a probability of at most 5 %. With fewer than five values there is none, and
// the largest is given.
func upperBound(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if len(s) == 0 {
		return 0
	}
	// The number of values under the median is binomial(n, 1/2).
	chance, below := 1.0, 0.0
	for range s {
		chance /= 2
	}
	for k := range s {
		below += chance
		if below >= 0.95 {
			return s[k]
		}
		chance *= float64(len(s)-k) / float64(k+1)
	}
	return s[len(s)-1]
}

// ratios divides pairwise.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}
