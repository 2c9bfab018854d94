// Package page writes RESULTS.md and SCALING.md, their charts, and the table in README.
package page

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/markdown"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// The texts of the pages call the methods of page for tables and charts.
var (
	//go:embed results.tmpl
	resultsText string
	//go:embed scaling.tmpl
	scalingText string
)

// A page is the data of a page being written.
type page struct {
	*results.Results
	Outcomes []bars.Outcome
	Least    int
	charts   map[string][]byte // by the path of the file, from the folder of the page
}

// Write writes RESULTS.md, SCALING.md if there were sweeps, and their charts to a folder,
// and returns the names of the files.
func Write(dir string, r *results.Results, outcomes []bars.Outcome) ([]string, error) {
	p := page{r, outcomes, results.Least, map[string][]byte{}}
	texts := map[string]string{"RESULTS.md": resultsText}
	if slices.ContainsFunc(r.Cases, (*results.Case).Sweep) {
		texts["SCALING.md"] = scalingText
	}
	files := p.charts
	for name, text := range texts {
		t, err := template.New(name).Parse(text)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := t.Execute(&b, p); err != nil {
			return nil, err
		}
		files[name] = []byte(strings.TrimRight(b.String(), "\n") + "\n")
	}
	if err := os.MkdirAll(filepath.Join(dir, "charts"), 0o755); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o644); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// chart adds a chart and returns a reference to it, or nothing if there is no chart.
func (p page) chart(name, alt string, svg []byte, err error) (string, error) {
	if svg == nil || err != nil {
		return "", err
	}
	name = "charts/" + strings.NewReplacer("/", "-", "=", "-", " ", "-", ",", "").Replace(strings.ToLower(name)) + ".svg"
	p.charts[name] = svg
	return fmt.Sprintf("![%s](%s)\n\n", alt, name), nil
}

// Origin returns the origin of the figures.
func (p page) Origin() string {
	f := p.Facts
	return "No figure here is written by hand; this makes all of them:\n\n    " + f["command"] + "\n\n" + markdown.Table("ll", []string{"", ""}, [][]string{
		{"Machine", f["cpu"] + ", " + f["cores"] + " cores"},
		{"System", f["os"] + ", " + f["goos"] + "/" + f["goarch"]},
		{"Go", f["go-version"]},
		{"Date", f["date"]},
		{"Commit", f["commit"]},
		{"Rounds", fmt.Sprintf("%d, and one before them that checks, warms up and counts parks", p.Rounds)},
	})
}

// Versions lists the modules of the measured libraries.
func (p page) Versions() string {
	modules := map[string]string{}
	for key, module := range p.Facts {
		lib, ok := strings.CutPrefix(key, results.ModuleKey)
		measured := func(c *results.Case) bool { return len(c.Lib(lib).Figures) > 0 }
		if ok && slices.ContainsFunc(p.Cases, measured) {
			modules[lib] = module
		}
	}
	return markdown.Versions(modules)
}

// Bars lists the outcomes, and the reasons of those that fall short.
func (p page) Bars() string {
	var rows [][]string
	var reasons strings.Builder
	for _, v := range p.Outcomes {
		outcome := v.String()
		if v.State == bars.FallsShort {
			outcome = "**" + outcome + "**"
			if v.Bar.Why != "" {
				fmt.Fprintf(&reasons, "- %s, %s: %s\n", v.Bar.Where(), v.Bar.Says(), v.Bar.Why)
			}
		}
		rows = append(rows, []string{v.Bar.Where(), v.Bar.Says(), v.Measured(), outcome})
	}
	return bars.Count(p.Outcomes) + ".\n\n" + markdown.Table("llll", []string{"Measured by", "Bar", "Measured", "Outcome"}, rows) + "\n" + reasons.String()
}
