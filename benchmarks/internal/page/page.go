// Package page writes RESULTS.md and its charts.
package page

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

const (
	name   = "RESULTS.md"
	charts = "charts" // the folder of the charts, beside it
)

// A page is what is written so far.
type page struct {
	text     strings.Builder
	results  *results.Results
	verdicts []bars.Verdict
	files    []file
}

// A file is a chart that the text refers to.
type file struct {
	name string // within the folder
	data []byte
}

// sections are the parts of the page in their order. Another one is a method more.
var sections = []func(*page) error{
	(*page).head,
	(*page).versions,
	(*page).bars,
	(*page).works,
	(*page).losses,
}

// Write writes RESULTS.md and its charts to a folder and returns the names of the
// files.
func Write(dir string, r *results.Results, verdicts []bars.Verdict) ([]string, error) {
	p := &page{results: r, verdicts: verdicts}
	for _, section := range sections {
		if err := section(p); err != nil {
			return nil, fmt.Errorf("page: Write: %w", err)
		}
	}
	files := []file{{name, []byte(strings.TrimRight(p.text.String(), "\n") + "\n")}}
	for _, f := range p.files {
		files = append(files, file{filepath.Join(charts, f.name), f.data})
	}
	var paths []string
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("page: Write: %w", err)
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			return nil, fmt.Errorf("page: Write: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// say adds text, as by fmt.Sprintf.
func (p *page) say(format string, args ...any) { fmt.Fprintf(&p.text, format, args...) }

// table adds a table. The first columns, as many as text says, are of text, the
// others of figures.
func (p *page) table(text int, header []string, rows [][]string) {
	p.say("| %s |\n|", strings.Join(header, " | "))
	for i := range header {
		if i < text {
			p.say("---|")
		} else {
			p.say("---:|")
		}
	}
	p.say("\n")
	for _, row := range rows {
		p.say("| %s |\n", strings.Join(row, " | "))
	}
	p.say("\n")
}

// chart adds a chart: a file and a reference to it.
func (p *page) chart(name, alt string, draw func(io.Writer) error) error {
	var buf bytes.Buffer
	if err := draw(&buf); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.files = append(p.files, file{name, buf.Bytes()})
	p.say("![%s](%s/%s)\n\n", alt, charts, name)
	return nil
}
