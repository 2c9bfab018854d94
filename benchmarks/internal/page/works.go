package page

import (
	"cmp"
	"slices"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

func (p *page) works() error {
	works := slices.Clone(p.results.Works)
	place := func(w *results.Work) int {
		if i := slices.IndexFunc(abouts, func(a about) bool { return a.work == w.Name }); i >= 0 {
			return i
		}
		return len(abouts)
	}
	slices.SortStableFunc(works, func(a, b *results.Work) int { return cmp.Compare(place(a), place(b)) })
	for _, w := range works {
		a := aboutOf(w)
		p.say("## %s\n\n", w.Name)
		if a.text != "" {
			p.say("%s\n\n", a.text)
		}
		if err := p.charts(a, w); err != nil {
			return err
		}
		for _, c := range w.Cases {
			if c.Name != "" {
				p.say("**%s**\n\n", (&results.Case{Work: c.Name}).Title())
			}
			p.caseTable(c, a.rankedBy(c))
		}
	}
	return nil
}

// caseTable writes what all libraries have shown in a case. Where libraries are
// not ranked by time, the time says nothing and is left out.
func (p *page) caseTable(c *results.Case, ranked string) {
	metrics := []string{ranked}
	for _, m := range []string{results.Bytes, results.Allocs, results.Parks} {
		if slices.Contains(c.Metrics(), m) {
			metrics = append(metrics, m)
		}
	}
	for _, m := range c.Metrics() {
		if m != ranked && !results.Usual(m) {
			metrics = append(metrics, m)
		}
	}
	compared := func(m string) bool { return m == ranked && results.LessIsBetter(m) }
	header := []string{"Library"}
	for _, m := range metrics {
		if header = append(header, m); compared(m) {
			header = append(header, "× Tandem")
		}
	}
	var rows [][]string
	for _, l := range c.Ranked(ranked) {
		row := []string{l.Name}
		switch {
		case l.Name == results.Ours:
			row[0] = "**" + l.Name + "**"
		case l.Floor():
			row[0] = "*" + l.Name + "*"
		}
		for _, m := range metrics {
			if row = append(row, figure(l, m)); compared(m) {
				row = append(row, times(c.Ours(), l, m))
			}
		}
		rows = append(rows, row)
	}
	p.table(1, header, rows)
}

func figure(l *results.Lib, metric string) string {
	s := l.Summary(metric)
	if spread := s.Spread(); spread != "" {
		return stats.Figure(s.Median) + " " + spread
	}
	return stats.Figure(s.Median)
}

// times writes what a figure of l is by ours.
func times(ours, l *results.Lib, metric string) string {
	switch {
	case ours == nil:
		return "–"
	case l == ours:
		return "1"
	}
	ratio := l.Figures[metric].Over(ours.Figures[metric])
	if ratio.Within(1) {
		return ratio.Times() + " ≈"
	}
	return ratio.Times()
}
