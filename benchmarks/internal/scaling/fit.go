package scaling

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A fit says that something grows as n to the power of k, where low and high are
// the ends of the 95 % confidence interval of k.
type fit struct{ k, low, high float64 }

// The exponents that count as proportional.
const flatLow, flatHigh = 0.97, 1.03

// fitPower fits total ∝ n^k: a straight line through the logarithms by least
// squares, and Student's interval for its slope. ok is false if there are too few
// points or too few different n.
func fitPower(n, total []float64) (f fit, ok bool) {
	var x, y []float64
	for i := range n {
		if total[i] > 0 {
			x, y = append(x, math.Log(n[i])), append(y, math.Log(total[i]))
		}
	}
	if len(x) < 3 {
		return fit{}, false
	}
	mean := stat.Mean(x, nil)
	var spread, rest float64
	for _, v := range x {
		spread += (v - mean) * (v - mean)
	}
	if spread == 0 {
		return fit{}, false
	}
	at0, k := stat.LinearRegression(x, y, nil, false)
	for i := range x {
		d := y[i] - at0 - k*x[i]
		rest += d * d
	}
	free := float64(len(x) - 2)
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: free}.Quantile(0.975)
	half := t * math.Sqrt(rest/free/spread)
	return fit{k, k - half, k + half}, true
}

// fit fits what all rounds say about the total of pkg in unit, from ten times the
// least n on: before, it is the beginning and the end that count.
func (s series) fit(pkg string, procs int, unit string) (fit, bool) {
	sizes := s.sizes(pkg)
	var n, total []float64
	for _, size := range sizes {
		if size < 10*sizes[0] {
			continue
		}
		for _, v := range s[key{bench: "Growth", pkg: pkg, n: size, procs: procs}][unit] {
			n, total = append(n, float64(size)), append(total, v*float64(size))
		}
	}
	return fitPower(n, total)
}

func (f fit) String() string { return fmt.Sprintf("%.3f (%.3f … %.3f)", f.k, f.low, f.high) }

// verdict says what f means for the figure of one item.
func (f fit) verdict() string {
	switch {
	case f.low >= flatLow && f.high <= flatHigh:
		return "flat"
	case f.k >= flatLow && f.k <= flatHigh:
		return "flat, by a wide interval"
	case f.low <= flatHigh && f.high >= flatLow:
		return "undecided: the interval reaches into what is flat"
	case f.k > 1:
		return "**not flat: grows**"
	}
	return "not flat: falls"
}
