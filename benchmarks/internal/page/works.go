package page

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/plotter"

	"github.com/tandemgo/tandem/benchmarks/internal/chart"
	"github.com/tandemgo/tandem/benchmarks/internal/markdown"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// rankings are the figures by which the libraries are ranked in a work, if not by the time.
var rankings = map[string]string{
	"PoolSlow": "p99-wait-ns", "PoolWaiting": "waiting-bytes/task", "PipelineParallel": "x-of-one",
	"FanMapUneven": "x-of-ideal", "WaitRate": "of-rate", "Waiters": "cpu-s/s",
}

func rankedBy(c *results.Case) string { return cmp.Or(rankings[c.Work], results.Time) }

// Work has the tables of the cases of a work, and charts of the cases named in dots. op is
// one operation.
func (p page) Work(work, op string, dots ...string) (string, error) {
	var b strings.Builder
	for _, c := range p.Cases {
		if c.Work != work {
			continue
		}
		if c.Name != "" {
			b.WriteString("**" + strings.ReplaceAll(c.Name, "/", ", ") + "**\n\n")
		}
		if slices.Contains(dots, c.Name) {
			svg, err := chart.Dots(c, "time per "+op+"; medians and 95 % intervals")
			ref, err := p.chart(c.Title(), "Times of all libraries: "+c.Title(), svg, err)
			if err != nil {
				return "", err
			}
			b.WriteString(ref)
		}
		b.WriteString(caseTable(c, rankedBy(c)) + "\n")
	}
	return b.String(), nil
}

// Over is Work with a chart of the times over n, the number of things.
func (p page) Over(work, op, things string) (string, error) {
	var all []chart.Line
	for _, c := range p.Cases {
		n, err := strconv.ParseFloat(strings.TrimPrefix(c.Name, "n="), 64)
		if c.Work != work || err != nil || n <= 0 { // 0 is not on a logarithmic axis
			continue
		}
		for _, l := range c.Libs {
			y := l.Median(results.Time)
			if !(y > 0) { // or there is none
				continue
			}
			i := slices.IndexFunc(all, func(line chart.Line) bool { return line.Name == l.Name })
			if i < 0 {
				i, all = len(all), append(all, chart.Line{Name: l.Name})
			}
			all[i].Points = append(all[i].Points, plotter.XY{X: n, Y: y})
		}
	}
	if all == nil {
		return p.Work(work, op)
	}
	svg, err := chart.Lines(work, things, "nanoseconds per "+op, all)
	ref, err := p.chart(work, "Times of all libraries over the number of "+things+": "+work, svg, err)
	if err != nil {
		return "", err
	}
	tables, err := p.Work(work, op)
	return ref + tables, err
}

// caseTable returns the figures of all libraries in a case, ranked by one of them. If that
// is not the time, the time is left out.
func caseTable(c *results.Case, ranked string) string {
	metrics := append([]string{ranked}, slices.DeleteFunc(c.Metrics(), func(m string) bool {
		return m == ranked || m == results.Time || m == results.Parks
	})...)
	if slices.Contains(c.Metrics(), results.Parks) { // measured first, shown last
		metrics = append(metrics, results.Parks)
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
			if row = append(row, l.Figures[m].Summary().String()); compared(m) {
				row = append(row, times(c.Ours(), l, m))
			}
		}
		rows = append(rows, row)
	}
	return markdown.Table("l"+strings.Repeat("r", len(header)-1), header, rows)
}

// times returns the ratio of a figure of l to ours as text.
func times(ours, l *results.Lib, metric string) string {
	if l == ours {
		return "1"
	}
	ratio := l.Figures[metric].Over(ours.Figures[metric])
	if ratio.Within(1) {
		return ratio.Times() + " ≈"
	}
	return ratio.Times()
}
