package stats

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Figure writes v with three digits that count, all of them from 100 on, and
// commas between thousands.
func Figure(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return "∞"
	case v == math.Trunc(v):
		return commas(strconv.FormatFloat(v, 'f', 0, 64))
	}
	// Rounded first, as 9.999 has one place less than it seems to.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	places := 2 - int(math.Floor(math.Log10(math.Abs(rounded))))
	switch {
	case places <= 0:
		return commas(strconv.FormatFloat(v, 'f', 0, 64))
	case places > 2: // less than 1: zeros at its end say nothing
		return strings.TrimRight(strconv.FormatFloat(v, 'f', places, 64), "0")
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

func commas(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Spread is how far the ends of the interval are from the median, the farther of
// them, as "± 3%". It is empty without an interval, and if all values were equal.
func (s Summary) Spread() string {
	if !s.Bounded() || s.Median == 0 || s.Lo == s.Hi {
		return ""
	}
	far := max(s.Hi-s.Median, s.Median-s.Lo) / math.Abs(s.Median)
	return fmt.Sprintf("± %.0f%%", 100*far)
}

// Times writes a ratio with its interval, as "8.52× (8.31–8.70)".
func (s Summary) Times() string {
	if s.N == 0 {
		return "–"
	}
	text := Figure(s.Median) + "×"
	if s.Bounded() && s.Lo < s.Hi {
		text += fmt.Sprintf(" (%s–%s)", Figure(s.Lo), Figure(s.Hi))
	}
	return text
}
