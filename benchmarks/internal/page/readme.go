package page

import (
	"cmp"
	_ "embed"
	"fmt"
	"os"
	"strings"

	"github.com/tandemgo/tandem/benchmarks/internal/markdown"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// These lines enclose the table of the main figures in a file.
const (
	tableBegin = "<!-- made by benchmarks/cmd/report -->\n"
	tableEnd   = "<!-- end of what is made -->\n"
)

// mainRows has a line for each row of that table: its title, a case, and which peer stands
// in the column of Tandem, if it is not [results.Ours].
//
//go:embed readme.txt
var mainRows string

// mostLibraries is the largest number of libraries that a row names, fastest first.
const mostLibraries = 4

// Main returns the table of the main times, without those that were not measured.
func Main(r *results.Results) (header []string, rows [][]string) {
	for line := range strings.Lines(mainRows) {
		title, of, _ := strings.Cut(strings.TrimSpace(line), " | ")
		of, ours, _ := strings.Cut(of, " | ")
		work, name, _ := strings.Cut(of, "/")
		c := r.Case(work, name)
		time := func(l *results.Lib) string { return results.Figure(l.Median(results.Time)) }
		var others []string
		for _, l := range c.Ranked(results.Time) {
			if (l.Library() || l.Floor()) && len(others) < mostLibraries {
				others = append(others, time(l)+" "+l.Name)
			}
		}
		if len(c.Libs) > 0 {
			rows = append(rows, []string{title, time(c.Lib(cmp.Or(ours, results.Ours))), time(c.Lib("channels")), time(c.Lib("classic")), strings.Join(others, ", ")})
		}
	}
	return []string{"Work", "Tandem", "channels", "classic", "libraries"}, rows
}

// Summarize replaces the table of the main times in the named file.
func Summarize(name string, r *results.Results) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		return fmt.Errorf("%s must have a line %q and behind it a line %q", name, strings.TrimSpace(tableBegin), strings.TrimSpace(tableEnd))
	}
	header, rows := Main(r)
	for _, row := range rows {
		row[1] = "**" + row[1] + "**"
	}
	text = fmt.Appendf(nil, "%s%sMedians in nanoseconds of %d rounds on %s, %s cores, %s:\n\n%s%s%s", before, tableBegin,
		r.Rounds, r.Facts["cpu"], r.Facts["cores"], r.Facts["go-version"], markdown.Table("lrrrl", header, rows), tableEnd, after)
	return os.WriteFile(name, text, 0o644)
}
