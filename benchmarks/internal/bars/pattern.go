package bars

import (
	"regexp"
	"slices"
	"strings"
)

// Pattern returns the -bench that runs what bars need and nothing else.
func Pattern(bars []Bar) string {
	var patterns []string
	add := func(work, params string) {
		p := "^Benchmark" + regexp.QuoteMeta(work) + "$"
		if params != "" && params != EveryCase {
			for part := range strings.SplitSeq(params, "/") {
				p += "/^" + regexp.QuoteMeta(part) + "$"
			}
		}
		if !slices.Contains(patterns, p) {
			patterns = append(patterns, p)
		}
	}
	for _, b := range bars {
		add(b.Work, b.Case)
		if b.Kind == Growth {
			add(b.Work, b.Base)
		}
	}
	return strings.Join(patterns, "|")
}
