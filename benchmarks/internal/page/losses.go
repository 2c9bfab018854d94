package page

import (
	"cmp"
	"slices"

	"github.com/tandemgo/tandem/benchmarks/internal/markdown"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// Losses lists the figures of which another library has a better median, unless the
// interval of the factor includes 1. The greatest factor comes first.
func (p page) Losses() string {
	type loss struct {
		factor results.Summary // ratio of our figure to theirs
		row    []string
	}
	var losses []loss
	for _, c := range p.Cases {
		for _, m := range c.Metrics() {
			if m != rankedBy(c) && m != results.Allocs && results.Usual(m) || !results.LessIsBetter(m) {
				continue
			}
			ours := c.Ours().Figures[m]
			for _, l := range c.Libs {
				f := ours.Over(l.Figures[m]) // empty if theirs is 0
				if l.Ours() || l.Floor() || !(c.Ours().Median(m) > l.Median(m)) || f.Bounded() && f.Lo <= 1 {
					continue
				}
				losses = append(losses, loss{f, []string{
					c.Title(), l.Name, m, l.Figures[m].Summary().String(), ours.Summary().String(), f.Times(),
				}})
			}
		}
	}
	if len(losses) == 0 {
		return "There is none.\n"
	}
	slices.SortStableFunc(losses, func(a, b loss) int { return cmp.Compare(b.factor.Median, a.factor.Median) })
	var rows [][]string
	for _, l := range losses {
		rows = append(rows, l.row)
	}
	return markdown.Table("llrrrr", []string{"Case", "Better", "Figure", "Its", "Tandem's", "Factor"}, rows)
}
