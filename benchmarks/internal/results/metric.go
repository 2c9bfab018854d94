package results

import (
	"cmp"
	"slices"
	"strings"
)

// The figures that nearly every benchmark has.
const (
	Time   = "ns/op"
	Bytes  = "B/op"
	Allocs = "allocs/op"
	Parks  = "parks/op"
)

// Usual reports whether it is a figure that nearly every benchmark has.
func Usual(metric string) bool { return slices.Contains([]string{Time, Bytes, Allocs, Parks}, metric) }

// Better returns -1 if less of it is better, 1 if more is, and 0 if it is neither,
// as for one that is to be met.
func Better(metric string) int {
	switch {
	case Usual(metric), metric == "x-of-ideal", metric == "cpu-s/s",
		strings.HasSuffix(metric, "-ns"), strings.Contains(metric, "bytes/"):
		return -1
	case metric == "x-of-one":
		return 1
	}
	return 0
}

// compare returns a negative number if a is better than b.
func compare(metric string, a, b float64) int {
	if Better(metric) > 0 {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}
