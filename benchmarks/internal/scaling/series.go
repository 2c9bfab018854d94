package scaling

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// Units of the benchmarks, as they report them.
const (
	nsItem   = "ns/item"
	allocB   = "B/item"
	liveB    = "live-B/item"
	baseline = 1 // GOMAXPROCS of what others are compared with
)

// A key says which benchmark it is.
type key struct {
	bench string // Growth, GrowthWork or GrowthSection
	pkg   string // or part
	n     int
	work  string
	procs int
}

// A series has the figures of each benchmark by unit, one of each round.
type series map[key]map[string][]float64

func collect(results []*benchfmt.Result) series {
	s := make(series)
	for _, r := range results {
		k := keyOf(r.Name)
		if s[k] == nil {
			s[k] = make(map[string][]float64)
		}
		for _, v := range r.Values {
			if v.OrigUnit != "" { // as it was before it was converted
				v.Value, v.Unit = v.OrigValue, v.OrigUnit
			}
			s[k][v.Unit] = append(s[k][v.Unit], v.Value)
		}
	}
	return s
}

func keyOf(name benchfmt.Name) key {
	base, parts := name.Parts()
	k := key{bench: string(base), procs: baseline}
	for _, part := range parts {
		if procs, ok := bytes.CutPrefix(part, []byte("-")); ok {
			k.procs, _ = strconv.Atoi(string(procs))
			continue
		}
		switch name, value, _ := strings.Cut(string(part), "="); name {
		case "/pkg", "/part":
			k.pkg = value
		case "/n":
			k.n, _ = strconv.Atoi(value)
		case "/work":
			k.work = value
		}
	}
	return k
}

// median returns the median of the rounds, and whether there are any.
func (s series) median(k key, unit string) (float64, bool) {
	vs := slices.Sorted(slices.Values(s[k][unit]))
	if len(vs) == 0 {
		return 0, false
	}
	return (vs[len(vs)/2] + vs[(len(vs)-1)/2]) / 2, true
}

// all returns what is different about the keys of s, in order.
func all[V int | string](s series, of func(key) (V, bool)) []V {
	var vs []V
	for k := range s {
		if v, ok := of(k); ok {
			vs = append(vs, v)
		}
	}
	slices.Sort(vs)
	return slices.Compact(vs)
}

// procs returns with how many processors there are results.
func (s series) procs() []int {
	return all(s, func(k key) (int, bool) { return k.procs, true })
}

// sizes returns for how many items of pkg there are results.
func (s series) sizes(pkg string) []int {
	return all(s, func(k key) (int, bool) { return k.n, k.bench == "Growth" && k.pkg == pkg })
}

// usual returns the number of processors whose results stand for all where only
// one set can be shown: 2, so that there is some parallelism, if there is that.
func (s series) usual() int {
	procs := s.procs()
	if slices.Contains(procs, 2) {
		return 2
	}
	return procs[0]
}
