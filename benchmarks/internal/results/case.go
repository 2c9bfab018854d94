package results

import (
	"cmp"
	"slices"
	"strings"
)

// Ours is the name of the library that others are compared with.
const Ours = "tandem"

// The figures that nearly every benchmark has.
const (
	Time   = "ns/op"
	Bytes  = "B/op"
	Allocs = "allocs/op"
	Parks  = "parks/op"
)

// Usual reports whether metric is a figure of nearly every benchmark.
func Usual(metric string) bool { return slices.Contains([]string{Time, Bytes, Allocs, Parks}, metric) }

// LessIsBetter reports whether a smaller value of metric is better. The other figures
// are targets or descriptions.
func LessIsBetter(metric string) bool {
	return Usual(metric) || slices.Contains([]string{"x-of-ideal", "x-of-one", "cpu-s/s"}, metric) ||
		strings.HasSuffix(metric, "-ns") || strings.Contains(metric, "bytes/")
}

// A Case is a work with its parameters and the figures of all libraries that can do it.
type Case struct {
	Work string // the name of the benchmark, without the prefix Benchmark
	Name string // such as n=10/slow=late; empty without parameters
	Libs []*Lib
}

// Sweep reports whether c varies the number of items and of processors, and compares no
// libraries.
func (c *Case) Sweep() bool { return strings.HasPrefix(c.Work, "Growth") }

// Title returns the case in words, such as "Broadcast, n=10".
func (c *Case) Title() string {
	return strings.TrimSuffix(c.Work+", "+strings.ReplaceAll(c.Name, "/", ", "), ", ")
}

// Lib returns a library. One that was not measured has no figures.
func (c *Case) Lib(name string) *Lib {
	if i := slices.IndexFunc(c.Libs, func(l *Lib) bool { return l.Name == name }); i >= 0 {
		return c.Libs[i]
	}
	return &Lib{Name: name}
}

// Ours returns Tandem's figures.
func (c *Case) Ours() *Lib { return c.Lib(Ours) }

// Metrics returns the names of all figures, in the order of their first appearance.
func (c *Case) Metrics() []string {
	var metrics []string
	for _, l := range c.Libs {
		for _, m := range l.Metrics {
			if !slices.Contains(metrics, m) {
				metrics = append(metrics, m)
			}
		}
	}
	return metrics
}

// Ranked returns the libraries that have a figure, the smallest first.
func (c *Case) Ranked(metric string) []*Lib {
	libs := slices.DeleteFunc(slices.Clone(c.Libs), func(l *Lib) bool { return len(l.Figures[metric]) == 0 })
	slices.SortStableFunc(libs, func(a, b *Lib) int { return cmp.Compare(a.Median(metric), b.Median(metric)) })
	return libs
}

// A Lib has the figures of one library in one Case.
type Lib struct {
	Name    string            // lib= in names of benchmarks
	Module  string            // its path; empty for code written by hand and for ours
	Metrics []string          // in the order of their first appearance
	Figures map[string]Series // by metric
}

// Ours reports whether l is Tandem, in any form of use.
func (l *Lib) Ours() bool { return l.Name == Ours || strings.HasPrefix(l.Name, Ours+"-") }

// Floor reports whether l does less than the work, to show the cost of the rest: a plain
// loop does nothing in parallel, and reading the clock limits nothing. A floor is no
// rival.
func (l *Lib) Floor() bool { return l.Name == "clock" || l.Name == "loop" }

// Library reports whether l is another library, as opposed to code written by hand.
func (l *Lib) Library() bool { return l.Module != "" && !l.Ours() }

// Median returns the median of a figure, or NaN without one.
func (l *Lib) Median(metric string) float64 { return l.Figures[metric].Summary().Median }
