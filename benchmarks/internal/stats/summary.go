// Package stats says what several rounds of a benchmark come to: medians with
// intervals, and ratios of what ran side by side.
//
// Nothing is assumed of how the figures are distributed, as on a machine that
// others use too they are anything but normal.
//
// Two libraries are compared by their ratios within each round. A U test of their
// times was tried: where the machine has changed its speed between rounds it calls
// two alike of which one was slower in every round, as it does not know what ran
// together. That the interval of the ratio leaves out 1 is a test too, a sign test.
package stats

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

const (
	confidence = 0.95
	// Least is how many values an interval of that confidence takes.
	Least = 6
)

// A Summary is the median of some values and where the true one lies, with a
// confidence of 95 %. Without values it is NaN; where they are fewer than Least,
// the interval is without end.
type Summary struct {
	Median, Lo, Hi float64
	N              int // how many values
}

// Summarize returns the Summary of values.
func Summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{math.NaN(), math.NaN(), math.NaN(), 0}
	}
	// NewSample sorts what it is given.
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	s := benchmath.AssumeNothing.Summary(sample, confidence)
	return Summary{s.Center, s.Lo, s.Hi, len(values)}
}

// Bounded reports whether there were enough values for an interval.
func (s Summary) Bounded() bool { return s.N > 0 && !math.IsInf(s.Lo, 0) && !math.IsInf(s.Hi, 0) }

// Within reports whether the interval has x in it, so that it is open on which
// side the true median lies. Without an interval it is false.
func (s Summary) Within(x float64) bool { return s.Bounded() && s.Lo < x && x < s.Hi }
