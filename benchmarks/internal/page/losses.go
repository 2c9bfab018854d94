package page

import (
	"cmp"
	"slices"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

// A loss is a case in which somebody else is better.
type loss struct {
	of     *results.Case
	metric string
	to     *results.Lib
	factor stats.Summary // how many times as much ours is
}

func (p *page) losses() error {
	p.say("## Where Tandem loses\n\n")
	if p.results.Rounds() < stats.Least {
		p.say("All cases in which another median is better than Tandem's, the greatest factor first. It takes %d rounds to leave out what may be chance.\n\n", stats.Least)
	} else {
		p.say("All cases in which another median is better than Tandem's and the interval of the factor leaves out 1, the greatest factor first.\n\n")
	}
	losses := p.findLosses()
	var rows [][]string
	for _, l := range losses {
		rows = append(rows, []string{
			l.of.Title(), l.to.Name, l.metric,
			figure(l.to, l.metric), figure(l.of.Ours(), l.metric), l.factor.Times(),
		})
	}
	if len(rows) == 0 {
		p.say("There is none.\n\n")
	} else {
		p.table(2, []string{"Case", "Better", "Figure", "Its", "Tandem's", "Factor"}, rows)
	}

	rows = p.moreAllocs()
	if len(rows) > 0 {
		p.say("And these make do with fewer allocations, the fewest of each case:\n\n")
		p.table(2, []string{"Case", "Fewer", "Its allocs/op", "Tandem's"}, rows)
	}
	return nil
}

func (p *page) findLosses() []loss {
	var losses []loss
	for c, a := range p.cases() {
		ours := c.Ours()
		for _, m := range c.Metrics() {
			if m != a.rankedBy(c) && results.Usual(m) || !results.LessIsBetter(m) || ours == nil {
				continue
			}
			for _, l := range c.Libs {
				if l.Ours() || l.Floor() {
					continue
				}
				f := ours.Figures[m].Over(l.Figures[m])
				if f.Median > 1 && (f.Lo > 1 || !f.Bounded()) {
					losses = append(losses, loss{c, m, l, f})
				}
			}
		}
	}
	slices.SortStableFunc(losses, func(a, b loss) int { return cmp.Compare(b.factor.Median, a.factor.Median) })
	return losses
}

func (p *page) moreAllocs() [][]string {
	var rows [][]string
	for c := range p.cases() {
		ours := c.Ours()
		if ours == nil {
			continue
		}
		for _, l := range c.Ranked(results.Allocs) {
			if l.Ours() || l.Floor() {
				continue
			}
			if l.Median(results.Allocs) < ours.Median(results.Allocs) {
				rows = append(rows, []string{c.Title(), l.Name, figure(l, results.Allocs), figure(ours, results.Allocs)})
			}
			break
		}
	}
	return rows
}

// cases yields all cases, and what is known of their works.
func (p *page) cases() func(yield func(*results.Case, about) bool) {
	return func(yield func(*results.Case, about) bool) {
		for _, w := range p.results.Works {
			for _, c := range w.Cases {
				if !yield(c, aboutOf(w)) {
					return
				}
			}
		}
	}
}
