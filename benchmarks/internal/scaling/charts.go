package scaling

import (
	"fmt"

	"gonum.org/v1/plot/plotter"
)

const (
	timeChart   = "charts/scaling-time.svg"
	memoryChart = "charts/scaling-memory.svg"
)

// modelChart returns the name of the chart for costs[i].
func modelChart(i int) string { return fmt.Sprintf("charts/scaling-cores-%d.svg", i) }

// charts returns all charts by name.
func charts(s series) (map[string][]byte, error) {
	files := make(map[string][]byte)
	add := func(name string, c *chart, err error) error {
		if err != nil || c.lines == 0 {
			return err
		}
		files[name], err = c.svg()
		return err
	}
	c, err := sizeChart(s, nsItem, fmt.Sprintf("Time of an item, GOMAXPROCS %d", s.usual()), "nanoseconds an item",
		func(v, _ float64) float64 { return v })
	if err := add(timeChart, c, err); err != nil {
		return nil, err
	}
	c, err = sizeChart(s, liveB, "Live memory when the most is held", "bytes in all",
		func(v, n float64) float64 { return v * n })
	if err := add(memoryChart, c, err); err != nil {
		return nil, err
	}
	for i := range costs {
		c, err := coreChart(s, i)
		if err := add(modelChart(i), c, err); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// sizeChart shows what becomes of a figure as n grows.
func sizeChart(s series, unit, title, y string, of func(v, n float64) float64) (*chart, error) {
	c := newChart(title, "n", y)
	for _, e := range engines {
		var points plotter.XYs
		for _, n := range s.sizes(e.pkg) {
			v, ok := s.median(key{bench: "Growth", pkg: e.pkg, n: n, procs: s.usual()}, unit)
			if v = of(v, float64(n)); ok && v > 0 {
				points = append(points, plotter.XY{X: float64(n), Y: v})
			}
		}
		if len(points) == 0 {
			continue
		}
		if err := c.line(e.pkg, points, points); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// coreChart shows what the model says, and the measured points.
func coreChart(s series, i int) (*chart, error) {
	c := newChart(fmt.Sprintf("Tasks of %s: the model (lines), measured (dots)", costs[i].name), "cores", "items a second")
	for _, e := range engines {
		l, ok := s.lawOf(e)
		if e.part == "" || !ok {
			continue
		}
		var points, dots plotter.XYs
		for n, x := range l.predict(costs[i].ns, mostCores) {
			points = append(points, plotter.XY{X: float64(n + 1), Y: x})
		}
		for procs := 1; procs <= 2; procs++ {
			if x, ok := s.measured(e.pkg, costs[i].work, procs); ok {
				dots = append(dots, plotter.XY{X: float64(procs), Y: x})
			}
		}
		if err := c.line(e.pkg, points, dots); err != nil {
			return nil, err
		}
	}
	return c, nil
}
