package stats

import (
	"maps"
	"slices"
)

// A Series has the values of one figure by round. A round is one process, and
// what ran in it ran at the same speed of the machine.
type Series map[int]float64

// Values returns the values in the order of the rounds.
func (s Series) Values() []float64 {
	values := make([]float64, 0, len(s))
	for _, round := range slices.Sorted(maps.Keys(s)) {
		values = append(values, s[round])
	}
	return values
}

// Summary returns the Summary of the values.
func (s Series) Summary() Summary { return Summarize(s.Values()) }

// Over returns the Summary of s by other, round by round: the machine changes its
// speed between rounds, which is in both or in neither then. Rounds that only one
// of them has, or in which other is nothing, do not count.
func (s Series) Over(other Series) Summary {
	var ratios []float64
	for round, v := range s {
		if o, ok := other[round]; ok && o > 0 {
			ratios = append(ratios, v/o)
		}
	}
	slices.Sort(ratios) // or the order of a map would decide how sums round
	return Summarize(ratios)
}
