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
		parts := []string{"Benchmark" + work}
		if params != "" && params != EveryCase {
			parts = append(parts, strings.Split(params, "/")...)
		}
		for i, part := range parts {
			parts[i] = "^" + regexp.QuoteMeta(part) + "$"
		}
		if p := strings.Join(parts, "/"); !slices.Contains(patterns, p) {
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
