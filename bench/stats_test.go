package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"one", []float64{3}, 3},
		{"the middle of an odd number", []float64{9, 1, 3}, 3},
		{"between the middle two of an even number", []float64{9, 1, 3, 5}, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := median(test.values); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// The places are those of the tables for the sign test.
func TestUpperBoundOfTheMedian(t *testing.T) {
	for n, want := range map[int]float64{1: 1, 4: 4, 5: 5, 8: 7, 10: 9, 11: 9, 12: 10, 20: 15} {
		var values []float64
		for i := n; i > 0; i-- {
			values = append(values, float64(i))
		}
		if got := upperBound(values); got != want {
			t.Errorf("of %d values: the %v smallest, want the %v", n, got, want)
		}
	}
	if upperBound(nil) != 0 {
		t.Error("a bound of nothing")
	}
}

func TestRatiosArePaired(t *testing.T) {
	if diff := cmp.Diff([]float64{2, 0.5}, ratios([]float64{4, 1}, []float64{2, 2})); diff != "" {
		t.Error(diff)
	}
}
