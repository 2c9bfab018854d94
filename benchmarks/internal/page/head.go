package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

func (p *page) head() error {
	p.say("# Results\n\n")
	p.origin(fmt.Sprintf("%d, and one before them that checks, warms up and counts parks", p.results.Rounds()))
	p.say("Who survives what goes wrong is in [FAULTS](FAULTS.md).\n\n")
	p.say(`## How to read it

- An **operation** is one item: a task, a value, a call; for fan.Map it is the whole slice. All libraries do the same
  complete work: every result is read, every delivery counted, and a benchmark in which one is missing fails.
- Figures are **medians** over the rounds. ± says how far the ends of the 95 %% interval of the median are from it.
- **× Tandem** is how many times as long as Tandem's something takes: above 1 it is slower. It is the median of the
  ratios within each round, with its interval: what is compared ran in one process within seconds, and the machine
  may have had another speed in another round. ≈ stands where 1 is within the interval: neither is proven faster.
- **parks/op** is how often a goroutine stops and waits to be woken, for each operation, counted in an execution
  trace. Each park enters the scheduler twice and may wake a processor. How long that takes depends on what else
  the machine does, how often it happens hardly. So of two that are equally fast on an idle machine, the one that
  parks less is faster under load.
- *Floors* do less than the others: a plain loop starts no goroutine, a look at the clock limits nothing. They show
  what the rest costs, and nobody loses to them.

`)
	if n := p.results.Rounds(); n < stats.Least {
		p.say("**These are %d rounds, and it takes %d for an interval: read them as a first look.**\n\n", n, stats.Least)
	}
	return nil
}

// Origin says where figures come from.
func Origin(r *results.Results) string {
	p := &page{results: r}
	p.origin("")
	return p.text.String()
}

func (p *page) origin(rounds string) {
	f := p.results.Facts
	known := func(s string) string { return cmp.Or(s, "not known") }
	p.say("No figure here is written by hand; this makes all of them:\n\n    %s\n\n", known(f.Command))
	rows := [][]string{
		{"Machine", known(f.CPU) + ", " + known(f.Cores) + " cores"},
		{"System", strings.Join(slices.DeleteFunc([]string{f.OS, f.GOOS + "/" + f.GOARCH}, func(s string) bool { return s == "" }), ", ")},
		{"Go", known(f.Go)},
		{"Date", known(f.Date)},
		{"Commit", known(f.Commit)},
	}
	if rounds != "" {
		rows = append(rows, []string{"Rounds", rounds})
	}
	p.table(2, []string{"", ""}, rows)
}

// versions lists the modules of the libraries that were measured.
func (p *page) versions() error {
	libs := map[string][]string{} // by module and version
	for _, m := range p.results.Facts.Modules {
		if p.measured(m.Lib) {
			key := fmt.Sprintf("%s | %s", m.Path, m.Version)
			libs[key] = append(libs[key], m.Lib)
		}
	}
	p.say("## Versions\n\n")
	if len(libs) == 0 {
		p.say("No library was measured besides Tandem.\n\n")
		return nil
	}
	var rows [][]string
	for key, names := range libs {
		rows = append(rows, []string{strings.Join(names, ", "), key})
	}
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	p.say("| Library | Module | Version |\n|---|---|---|\n")
	for _, row := range rows {
		p.say("| %s |\n", strings.Join(row, " | "))
	}
	p.say("\nAll others are written by hand; `classic` is the version that Tandem descends from.\n\n")
	return nil
}

func (p *page) measured(lib string) bool {
	return slices.ContainsFunc(p.results.Works, func(w *results.Work) bool {
		return slices.ContainsFunc(w.Cases, func(c *results.Case) bool { return c.Lib(lib) != nil })
	})
}
