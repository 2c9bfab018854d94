package results

import (
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

// LessIsBetter reports whether it is a figure that should be small. The others are
// to be met, or only tell what went on.
func LessIsBetter(metric string) bool {
	return Usual(metric) || slices.Contains([]string{"ms/op", "x-of-ideal", "x-of-one", "cpu-s/s"}, metric) ||
		strings.HasSuffix(metric, "-ns") || strings.Contains(metric, "bytes/")
}
