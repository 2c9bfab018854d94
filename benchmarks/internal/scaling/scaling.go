// Package scaling writes a page about how Tandem scales: with the number of items,
// as measured, and with the number of cores, as measured on the few that there are
// and as a queueing model says for more.
//
// Every figure on the page comes from benchmark results, or follows from them by
// the model. What is said without figures follows from how the engines are built.
package scaling

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/perf/benchfmt"
)

const (
	// Bench selects the benchmarks that the page is made from, for -test.bench.
	// They are meant for -test.benchtime 1x, in several rounds.
	Bench = `^BenchmarkGrowth(Work|Section)?$`
	// CPUs is what they are to be run with, for -test.cpu.
	CPUs = "1,2,8"
)

// Page is the name of the page, in the directory that Write is given.
const Page = "SCALING.md"

// Of reports whether it is the name of a benchmark that pages are made from. It
// compares nobody.
func Of(name benchfmt.Name) bool { return strings.HasPrefix(string(name.Base()), "Growth") }

// Read reads the results that a page is made from, and leaves the others out; name
// is what errors call where they come from.
func Read(in io.Reader, name string) (results []*benchfmt.Result, err error) {
	scanner := benchfmt.NewReader(in, name)
	for scanner.Scan() {
		switch rec := scanner.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			if Of(rec.Name) {
				results = append(results, rec.Clone())
			}
		}
	}
	return results, scanner.Err()
}

// Write writes the page and its charts to dir, made from the results of any number
// of rounds, as Read returns them. head, which is Markdown, comes first: where and
// how it was measured.
func Write(dir, head string, results []*benchfmt.Result) error {
	s := collect(results)
	if len(s) == 0 {
		return errors.New("scaling: Write: there are no results of BenchmarkGrowth")
	}
	files, err := charts(s)
	if err != nil {
		return err
	}
	files[Page] = page(head, s)
	if err := os.MkdirAll(filepath.Join(dir, "charts"), 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
