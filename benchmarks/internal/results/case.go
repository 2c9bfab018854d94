package results

import (
	"cmp"
	"slices"
	"strings"
)

// Ours is the library that others are compared with.
const Ours = "tandem"

// A Case is a work with its parameters, as done by all the libraries that can.
type Case struct {
	Work string
	Name string // as n=10/slow=late; empty where there are no parameters
	Libs []*Lib
}

// Title returns the case in words, as "Broadcast, n=10".
func (c *Case) Title() string {
	if c.Name == "" {
		return c.Work
	}
	return c.Work + ", " + strings.ReplaceAll(c.Name, "/", ", ")
}

// Lib returns the library of that name, or nil. It may be called on nil.
func (c *Case) Lib(name string) *Lib {
	if c == nil {
		return nil
	}
	if i := slices.IndexFunc(c.Libs, func(l *Lib) bool { return l.Name == name }); i >= 0 {
		return c.Libs[i]
	}
	return nil
}

// Ours returns what Tandem has done, or nil. It may be called on nil.
func (c *Case) Ours() *Lib { return c.Lib(Ours) }

// Fastest returns the one of the least median time of those for which among
// reports true, or nil if there is none. It may be called on nil.
func (c *Case) Fastest(among func(*Lib) bool) *Lib {
	if c == nil {
		return nil
	}
	var fastest *Lib
	for _, l := range c.Libs {
		if len(l.Figures[Time]) == 0 || !among(l) {
			continue
		}
		if fastest == nil || l.Median(Time) < fastest.Median(Time) {
			fastest = l
		}
	}
	return fastest
}

// Metric returns what libraries are ranked by: the time of an operation, or
// where there is none the first figure that should be small, but for those that
// go with a time. It is empty if there is none either.
func (c *Case) Metric() string {
	metric := ""
	for _, m := range c.Metrics() {
		switch {
		case m == Time:
			return Time
		case metric == "" && LessIsBetter(m) && !Usual(m):
			metric = m
		}
	}
	return metric
}

// Metrics returns the names of all figures, in the order in which they came.
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

// Ranked returns the libraries by metric, the least first; those that do not
// have it come last.
func (c *Case) Ranked(metric string) []*Lib {
	libs := slices.Clone(c.Libs)
	slices.SortStableFunc(libs, func(a, b *Lib) int {
		as, bs := len(a.Figures[metric]) > 0, len(b.Figures[metric]) > 0
		switch {
		case as && bs:
			return cmp.Compare(a.Median(metric), b.Median(metric))
		case as:
			return -1
		case bs:
			return 1
		}
		return 0
	})
	return libs
}
