package results

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchmath"
)

const (
	confidence = 0.95
	// Least is the number of values needed for an interval with that confidence.
	Least = 6
)

// A Series has the values of one figure by round. A round is one process, whose
// benchmarks ran at one speed of the machine.
type Series map[int]float64

// Summary returns the Summary of the values.
func (s Series) Summary() Summary { return summarize(slices.Collect(maps.Values(s))) }

// Over returns the Summary of s divided by other, round by round: a change of the
// machine's speed between rounds then affects both or neither. Rounds that only one of
// them has, or in which other is 0, do not count. A U test of the two would ignore which
// figures were measured together. An interval of the ratio that excludes 1 is a sign
// test.
func (s Series) Over(other Series) Summary {
	var ratios []float64
	for round, v := range s {
		if o := other[round]; o > 0 {
			ratios = append(ratios, v/o)
		}
	}
	return summarize(ratios)
}

// A Summary is the median of some values and a 95 % interval for the true median, without
// an assumption about their distribution. Without values it is NaN; with fewer than Least
// values the interval is unbounded.
type Summary struct {
	Median, Lo, Hi float64
	N              int // number of values
}

func summarize(values []float64) Summary {
	if len(values) == 0 {
		return Summary{math.NaN(), math.NaN(), math.NaN(), 0}
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), confidence)
	return Summary{s.Center, s.Lo, s.Hi, len(values)}
}

// Bounded reports whether there are enough values for an interval.
func (s Summary) Bounded() bool { return s.N >= Least }

// Within reports whether x lies in the interval, so that the true median may be on
// either side of x. Without an interval it returns false.
func (s Summary) Within(x float64) bool { return s.Bounded() && s.Lo < x && x < s.Hi }

// String returns the median with the distance of the farther end of the interval, such as
// "40.2 ± 3%".
func (s Summary) String() string {
	if !s.Bounded() || s.Median == 0 || s.Lo == s.Hi {
		return Figure(s.Median)
	}
	far := max(s.Hi-s.Median, s.Median-s.Lo) / math.Abs(s.Median)
	return fmt.Sprintf("%s ± %.0f%%", Figure(s.Median), 100*far)
}

// Times returns a ratio with its interval, such as "8.52× (8.31–8.70)".
func (s Summary) Times() string {
	switch {
	case s.N == 0:
		return "–"
	case !s.Bounded() || s.Lo == s.Hi:
		return Figure(s.Median) + "×"
	}
	return fmt.Sprintf("%s× (%s–%s)", Figure(s.Median), Figure(s.Lo), Figure(s.Hi))
}

// Figure returns v with three significant digits, all digits from 100 on, and commas
// between thousands.
func Figure(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	places := 0
	if v != math.Trunc(v) {
		// The exponent is that of the rounded value: 9.999 has one decimal place less than
		// it seems.
		_, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
		n, _ := strconv.Atoi(exponent)
		places = max(0, 2-n)
	}
	text := strconv.FormatFloat(v, 'f', places, 64)
	if places > 2 { // less than 1
		text = strings.TrimRight(text, "0")
	}
	digits, _, _ := strings.Cut(text, ".")
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
