package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// A scale puts ticks on a logarithmic axis at 1, 2 and 5 times powers of ten, and
// names them with name: all of them as long as they are few, else the powers.
type scale struct{ name func(float64) string }

func (s scale) Ticks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	few := math.Log10(hi/lo) < 2.2
	for exp := math.Floor(math.Log10(lo)); exp <= math.Ceil(math.Log10(hi)); exp++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, exp)
			if v < lo*0.999 || v > hi*1.001 {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || few {
				t.Label = s.name(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// duration names a time in nanoseconds, with three digits that count.
func duration(ns float64) string {
	for _, unit := range []struct {
		name string
		ns   float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= 0.9995*unit.ns {
			return digits(ns/unit.ns) + " " + unit.name
		}
	}
	return digits(ns) + " ns"
}

// count names a number of things.
func count(n float64) string { return strconv.FormatFloat(math.Round(n), 'f', -1, 64) }

func digits(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
