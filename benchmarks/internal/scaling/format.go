package scaling

import (
	"fmt"
	"math"
	"strconv"
)

// figure returns v with three digits that count, and without an exponent.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 999.5:
		return count(int(math.Round(v)))
	case a >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.005:
		return fmt.Sprintf("%.2f", v)
	}
	return "0"
}

// count returns n with commas.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesOf returns a size in a unit that is easy to read.
func bytesOf(v float64) string {
	if v < 1<<10 {
		return figure(v) + " B"
	}
	return figure(v/(1<<10)) + " KiB"
}

// millions returns items a second.
func millions(v float64) string { return figure(v / 1e6) }

// cores returns from how many cores on something is so.
func cores(n int) string {
	if n == 1 {
		return "the first core"
	}
	return count(n) + " cores"
}

// short returns a number of a scale: 1, 10k, 10M.
func short(v float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.of {
			return strconv.FormatFloat(v/unit.of, 'g', 3, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
