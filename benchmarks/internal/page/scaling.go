package page

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"gonum.org/v1/plot/plotter"

	"github.com/tandemgo/tandem/benchmarks/internal/chart"
	"github.com/tandemgo/tandem/benchmarks/internal/markdown"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// Figures of the sweeps, as they are reported.
const nsItem, allocated, live = "ns/item", "B/item", "live-B/item"

var sweep = regexp.MustCompile(`^pkg=([^/]*)/(n|work)=([^/]*)/procs=(\d+)$`)

// A point is a case of a sweep.
type point struct {
	pkg, work string // work is the processor time of an item, such as 1us
	n, procs  int
	lib       *results.Lib
}

// points returns the cases of a sweep, and the values of GOMAXPROCS.
func (p page) points(bench string) (all []point, procs []int) {
	for _, c := range p.Cases {
		if m := sweep.FindStringSubmatch(c.Name); c.Work == bench && m != nil {
			pt := point{pkg: m[1], work: m[3], lib: c.Ours()}
			pt.n, _ = strconv.Atoi(m[3])
			pt.procs, _ = strconv.Atoi(m[4])
			all, procs = append(all, pt), append(procs, pt.procs)
		}
	}
	slices.Sort(procs)
	return all, slices.Compact(procs)
}

// Procs returns the value of GOMAXPROCS whose figures stand for all: 2, so that there is
// some parallelism, or the only one.
func (p page) Procs() int {
	_, procs := p.points("Growth")
	return procs[min(1, len(procs)-1)]
}

// Sweeps returns the number of sweeps.
func (p page) Sweeps() int {
	all, _ := p.points("Growth")
	return len(all[0].lib.Figures[nsItem])
}

// usual returns the points of Growth at Procs, those of each package together.
func (p page) usual() (pkgs [][]point) {
	all, _ := p.points("Growth")
	procs := p.Procs()
	all = slices.DeleteFunc(all, func(pt point) bool { return pt.procs != procs })
	for _, pt := range all {
		if last := len(pkgs) - 1; last >= 0 && pkgs[last][0].pkg == pt.pkg {
			pkgs[last] = append(pkgs[last], pt)
		} else {
			pkgs = append(pkgs, []point{pt})
		}
	}
	return pkgs
}

// Growth compares the least and the greatest n of each package.
func (p page) Growth() string {
	var rows [][]string
	for _, pts := range p.usual() {
		last := pts[len(pts)-1]
		first, most := last, 0.0
		for _, pt := range slices.Backward(pts) {
			if pt.n >= 10*pts[0].n {
				first = pt
			}
			most = max(most, pt.lib.Median(live)*float64(pt.n))
		}
		rows = append(rows, []string{
			last.pkg, results.Figure(float64(first.n)) + " … " + results.Figure(float64(last.n)),
			fmt.Sprintf("%.2f", last.lib.Median(nsItem)/first.lib.Median(nsItem)),
			results.Figure(most / 1024), results.Figure(last.lib.Median(live)),
		})
	}
	return markdown.Table("llrrr", []string{"work", "n", "time of an item, last ÷ first", "most live memory, KiB", "live B/item, last"}, rows)
}

// Sizes has the figures of a package for each n.
func (p page) Sizes(pkg string) string {
	all, procs := p.points("Growth")
	header, align := []string{"n"}, "r"
	for _, n := range procs {
		header, align = append(header, fmt.Sprintf("ns/item, %d", n)), align+"r"
	}
	var rows [][]string
	for _, usual := range slices.Concat(p.usual()...) {
		if usual.pkg != pkg {
			continue
		}
		row := []string{results.Figure(float64(usual.n))}
		for _, pt := range all {
			if pt.pkg == pkg && pt.n == usual.n {
				row = append(row, results.Figure(pt.lib.Median(nsItem)))
			}
		}
		rows = append(rows, append(row, results.Figure(usual.lib.Median(allocated)), results.Figure(usual.lib.Median(live))))
	}
	return markdown.Table(align+"rr", append(header, "B/item", "live B/item"), rows)
}

// Cores has the items a second of each package and task for each GOMAXPROCS.
func (p page) Cores() string {
	all, procs := p.points("GrowthWork")
	header, align := []string{"work", "task"}, "ll"
	for _, n := range procs {
		header, align = append(header, strconv.Itoa(n)), align+"r"
	}
	var rows [][]string
	for _, pt := range all {
		if pt.procs == procs[0] {
			rows = append(rows, []string{pt.pkg, pt.work})
		}
		last := &rows[len(rows)-1]
		*last = append(*last, results.Figure(1e9/pt.lib.Median(nsItem)))
	}
	return markdown.Table(align, header, rows)
}

// TimeChart draws the time of an item.
func (p page) TimeChart() (string, error) {
	return p.sweepChart("scaling-time", "Time of an item", "nanoseconds an item", func(pt point) float64 { return pt.lib.Median(nsItem) })
}

// MemoryChart draws the memory that is held.
func (p page) MemoryChart() (string, error) {
	return p.sweepChart("scaling-memory", "Live memory when the most is held", "bytes in all",
		func(pt point) float64 { return pt.lib.Median(live) * float64(pt.n) })
}

func (p page) sweepChart(name, title, y string, of func(point) float64) (string, error) {
	var lines []chart.Line
	for _, pts := range p.usual() {
		l := chart.Line{Name: pts[0].pkg}
		for _, pt := range pts {
			if v := of(pt); v > 0 {
				l.Points = append(l.Points, plotter.XY{X: float64(pt.n), Y: v})
			}
		}
		if l.Points != nil {
			lines = append(lines, l)
		}
	}
	svg, err := chart.Lines(fmt.Sprintf("%s, GOMAXPROCS %d", title, p.Procs()), "n", y, lines)
	return p.chart(name, title, svg, err)
}
