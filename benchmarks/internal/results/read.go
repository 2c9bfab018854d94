// Package results holds the figures of all rounds of the benchmarks, and reads them from
// output in Go's benchmark format.
package results

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

const (
	// RoundKey is the configuration key of the number of the following round, and
	// ModuleKey the prefix of that of the module of a library.
	RoundKey, ModuleKey = "round", "module-"
	// ParksRound is the round that only counts parks. It runs each benchmark once under a
	// trace, so its other figures are not used.
	ParksRound = 0
)

// Results has the figures of all rounds.
type Results struct {
	Facts  map[string]string // the configuration that precedes the first result
	Cases  []*Case           // in the order of the run
	Rounds int               // without ParksRound and the rounds of sweeps
}

// Case returns a case. A case that was not measured has no libraries.
func (r *Results) Case(work, name string) *Case {
	for _, c := range r.Cases {
		if c.Work == work && c.Name == name {
			return c
		}
	}
	return &Case{Work: work, Name: name}
}

// Read reads raw output; name is its name in errors. A line with RoundKey precedes the
// output of each round, and facts of the machine precede all.
func Read(in io.Reader, name string) (*Results, error) {
	r := &Results{Facts: map[string]string{}}
	for scanner := benchfmt.NewReader(in, name); scanner.Scan(); {
		switch rec := scanner.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, rec
		case *benchfmt.Result:
			if err := r.add(rec); err != nil {
				file, line := rec.Pos()
				return nil, fmt.Errorf("%s:%d: %s: %w", file, line, rec.Name, err)
			}
		}
	}
	if len(r.Cases) == 0 {
		return nil, fmt.Errorf("%s: there is no result of a benchmark in it", name)
	}
	return r, nil
}

func (r *Results) add(rec *benchfmt.Result) error {
	round, err := strconv.Atoi(rec.GetConfig(RoundKey))
	if err != nil {
		return fmt.Errorf("%s: %q, want a number", RoundKey, rec.GetConfig(RoundKey))
	}
	if len(r.Cases) == 0 {
		for _, c := range rec.Config {
			r.Facts[c.Key] = string(c.Value)
		}
	}
	work, params, lib := split(rec.Name)
	if lib == "" {
		return fmt.Errorf("its name has no lib= in it")
	}
	c := r.Case(work, params)
	if c.Libs == nil {
		r.Cases = append(r.Cases, c)
	}
	l := c.Lib(lib)
	if l.Figures == nil {
		l.Module, _, _ = strings.Cut(r.Facts[ModuleKey+lib], " ")
		l.Figures = map[string]Series{}
		c.Libs = append(c.Libs, l)
	}
	if !c.Sweep() {
		r.Rounds = max(r.Rounds, round)
	}
	for _, v := range rec.Values {
		metric, value := v.Unit, v.Value
		if v.OrigUnit != "" { // the reader has converted the value to seconds
			metric, value = v.OrigUnit, v.OrigValue
		}
		if (round == ParksRound) != (metric == Parks) {
			continue
		}
		if l.Figures[metric] == nil {
			l.Figures[metric] = Series{}
			l.Metrics = append(l.Metrics, metric)
		}
		if _, twice := l.Figures[metric][round]; twice {
			return fmt.Errorf("%s is given twice in round %d", metric, round)
		}
		l.Figures[metric][round] = value
	}
	return nil
}

// split returns the parts of a name: FanMap, n=10 and conc of
// BenchmarkFanMap/n=10/lib=conc-2. In a sweep GOMAXPROCS is a parameter.
func split(name benchfmt.Name) (work, params, lib string) {
	base, parts := name.Parts()
	procs := "1"
	var rest []string
	for _, part := range parts {
		p := string(part)
		if n, ok := strings.CutPrefix(p, "-"); ok {
			procs = n
		} else if l, ok := strings.CutPrefix(p, "/lib="); ok {
			lib = l
		} else {
			rest = append(rest, p[1:])
		}
	}
	if (&Case{Work: string(base)}).Sweep() {
		rest = append(rest, "procs="+procs)
	}
	return string(base), strings.Join(rest, "/"), lib
}
