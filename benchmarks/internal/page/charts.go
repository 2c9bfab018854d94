package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/tandemgo/tandem/benchmarks/internal/chart"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

func (p *page) charts(a about, w *results.Work) error {
	switch a.shape {
	case lines:
		return p.lineChart(a, w)
	case dots:
		for _, c := range w.Cases {
			if len(a.cases) == 0 || slices.Contains(a.cases, c.Name) {
				if err := p.dotChart(a, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *page) dotChart(a about, c *results.Case) error {
	d := chart.Dots{Title: c.Title(), Subtitle: "time per " + a.op + "; median and 95 % interval; logarithmic"}
	if p.results.Rounds() < stats.Least {
		d.Subtitle = "time per " + a.op + "; median; logarithmic"
	}
	for _, l := range c.Ranked(results.Time) {
		if s := l.Summary(results.Time); s.Median > 0 {
			d.Rows = append(d.Rows, chart.Row{Name: l.Name, Mark: mark(l), Mid: s.Median, Lo: s.Lo, Hi: s.Hi})
		}
	}
	if len(d.Rows) == 0 {
		return nil
	}
	return p.chart(fileName(c), "Times of all libraries: "+c.Title(), d.Write)
}

func (p *page) lineChart(a about, w *results.Work) error {
	l := chart.Lines{Title: w.Name, Subtitle: "time per " + a.op + "; medians; both axes logarithmic", X: a.over}
	for _, c := range w.Cases {
		n, err := strconv.ParseFloat(strings.TrimPrefix(c.Name, "n="), 64)
		if err != nil || n <= 0 { // no place on a logarithmic axis
			continue
		}
		for _, lib := range c.Libs {
			y := lib.Median(results.Time)
			if !(y > 0) {
				continue
			}
			i := slices.IndexFunc(l.Lines, func(line chart.Line) bool { return line.Name == lib.Name })
			if i < 0 {
				i = len(l.Lines)
				l.Lines = append(l.Lines, chart.Line{Name: lib.Name, Mark: mark(lib)})
			}
			l.Lines[i].Points = append(l.Lines[i].Points, plotter.XY{X: n, Y: y})
		}
	}
	if len(l.Lines) == 0 {
		return nil
	}
	for _, line := range l.Lines {
		slices.SortFunc(line.Points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	}
	return p.chart(fileName(&results.Case{Work: w.Name}), "Times of all libraries over the number of "+a.over+": "+w.Name, l.Write)
}

func mark(l *results.Lib) chart.Mark {
	switch {
	case l.Name == results.Ours:
		return chart.Ours
	case l.Ours():
		return chart.Variant
	case l.Floor():
		return chart.Floor
	}
	return chart.Other
}

// fileName returns a name that is good in a file system and in a link.
func fileName(c *results.Case) string {
	name := c.Work
	if c.Name != "" {
		name += "-" + c.Name
	}
	return strings.NewReplacer("/", "-", "=", "-", " ", "-").Replace(strings.ToLower(name)) + ".svg"
}
