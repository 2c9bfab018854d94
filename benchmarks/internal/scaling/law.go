package scaling

import "math"

// modelled is the n of BenchmarkGrowth that the model is made from.
const modelled = 1_000_000

// costs are the tasks that the model is asked about.
var costs = []struct {
	name string
	work string // of BenchmarkGrowthWork; empty: BenchmarkGrowth
	ns   float64
}{
	{"0", "", 0},
	{"1 µs", "1us", 1000},
	{"50 µs", "50us", 50_000},
}

// A law is what the model knows of an engine: how long an item takes with one
// processor, and how long of that only one goroutine can be at it.
type law struct {
	engine
	all   float64 // ns for an item with one processor
	alone float64 // ns of that outside the section
	near  float64 // ns in the section, with one processor
	far   float64 // ns in it when there are others, whose caches have what it needs
}

// lawOf returns the law of e, and whether there are results for it.
func (s series) lawOf(e engine) (law, bool) {
	l := law{engine: e}
	ok := true
	get := func(k key) float64 {
		v, there := s.median(k, nsItem)
		ok = ok && there
		return v
	}
	l.all = get(key{bench: "Growth", pkg: e.pkg, n: modelled, procs: baseline})
	l.near = get(key{bench: "GrowthSection", pkg: e.part, procs: baseline})
	l.far = e.sides * get(key{bench: "GrowthSection", pkg: e.part, procs: 2})
	if e.shards == 0 { // otherwise all of it is behind the lock of a shard
		l.alone = max(0, l.all-l.near)
	}
	return l, ok
}

// network returns the model for more than one core and tasks of so many
// nanoseconds.
func (l law) network(cost float64) network {
	w := network{alone: l.alone + float64(l.works)*cost}
	section := station{time: l.far, copies: 1}
	if l.inside {
		w.alone -= cost
		section.time += cost
	}
	if l.shards > 0 {
		w.stations = append(w.stations, station{time: l.all, copies: l.shards})
	}
	w.stations = append(w.stations, section)
	return w
}

// predict returns items a second for 1, 2 … most cores. One core has its caches to
// itself, and does one item after the other.
func (l law) predict(cost float64, most int) []float64 {
	xs := l.network(cost).throughput(most)
	xs[0] = 1 / (l.all + float64(l.works)*cost)
	for i := range xs {
		xs[i] *= 1e9
	}
	return xs
}

// saturated returns from how many cores on the section is what limits.
func (l law) saturated(cost float64) int {
	return max(1, int(math.Ceil(l.network(cost).saturation())))
}

// measured returns items a second as measured, with tasks of that kind.
func (s series) measured(pkg, work string, procs int) (float64, bool) {
	k := key{bench: "GrowthWork", pkg: pkg, work: work, procs: procs}
	if work == "" {
		k.bench, k.n = "Growth", modelled
	}
	v, ok := s.median(k, nsItem)
	return 1e9 / v, ok
}
