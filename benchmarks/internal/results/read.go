package results

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"github.com/tandemgo/tandem/benchmarks/internal/machine"
	"github.com/tandemgo/tandem/benchmarks/internal/scaling"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

// RoundKey is the configuration key, in raw output, of the round that follows.
const RoundKey = "round"

// Read reads raw output; name is what errors call it. The output of each round
// comes after a line that says which it is, and facts of the machine before all.
func Read(in io.Reader, name string) (*Results, error) {
	r := &Results{}
	scanner := benchfmt.NewReader(in, name)
	for scanner.Scan() {
		switch rec := scanner.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, fmt.Errorf("results: Read: %w", rec)
		case *benchfmt.Result:
			if scaling.Of(rec.Name) {
				continue
			}
			if err := r.add(rec); err != nil {
				file, line := rec.Pos()
				return nil, fmt.Errorf("results: Read: %s:%d: %s: %w", file, line, rec.Name, err)
			}
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("results: Read: %w", err)
	}
	if len(r.Works) == 0 {
		return nil, fmt.Errorf("results: Read: %s: there is no result of a benchmark in it", name)
	}
	return r, nil
}

func (r *Results) add(rec *benchfmt.Result) error {
	round, err := strconv.Atoi(rec.GetConfig(RoundKey))
	if err != nil || round < 0 {
		return fmt.Errorf("%s: %q, want a number from 0 on", RoundKey, rec.GetConfig(RoundKey))
	}
	work, params, lib := split(rec.Name)
	if lib == "" {
		return fmt.Errorf("its name has no lib= in it")
	}
	if len(r.Works) == 0 {
		r.Facts = machine.FromConfig(func(yield func(key, value string) bool) {
			for _, c := range rec.Config {
				if !yield(c.Key, string(c.Value)) {
					return
				}
			}
		})
	}
	l := r.lib(work, params, lib)
	for _, v := range rec.Values {
		metric, value := v.Unit, v.Value
		if v.OrigUnit != "" { // what the reader has made seconds of
			metric, value = v.OrigUnit, v.OrigValue
		}
		if (round == ParksRound) != (metric == Parks) {
			continue
		}
		if _, twice := l.Figures[metric][round]; twice {
			return fmt.Errorf("%s is given twice in round %d", metric, round)
		}
		l.add(metric, round, value)
	}
	return nil
}

// split returns the parts of a name like BenchmarkFanMap/n=10/lib=conc-2: FanMap,
// n=10, conc.
func split(name benchfmt.Name) (work, params, lib string) {
	base, parts := name.Parts()
	var rest []string
	for _, part := range parts {
		p := string(part)
		if strings.HasPrefix(p, "-") {
			continue // GOMAXPROCS
		}
		p = strings.TrimPrefix(p, "/")
		if l, ok := strings.CutPrefix(p, "lib="); ok {
			lib = l
			continue
		}
		rest = append(rest, p)
	}
	return string(base), strings.Join(rest, "/"), lib
}

// lib returns the Lib of these names, and makes what is missing on the way.
func (r *Results) lib(work, params, lib string) *Lib {
	w := r.Work(work)
	if w == nil {
		w = &Work{Name: work}
		r.Works = append(r.Works, w)
	}
	c := w.Case(params)
	if c == nil {
		c = &Case{Work: work, Name: params}
		w.Cases = append(w.Cases, c)
	}
	if l := c.Lib(lib); l != nil {
		return l
	}
	l := &Lib{Name: lib, Figures: map[string]stats.Series{}}
	if i := slices.IndexFunc(r.Facts.Modules, func(m machine.Module) bool { return m.Lib == lib }); i >= 0 {
		l.Module = r.Facts.Modules[i].Path
	}
	c.Libs = append(c.Libs, l)
	return l
}
