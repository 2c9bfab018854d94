package scaling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

var networks = map[string]network{
	"lock":          {alone: 100, stations: []station{{20, 1}}},
	"lock only":     {alone: 0, stations: []station{{20, 1}}},
	"long tasks":    {alone: 50_000, stations: []station{{40, 1}}},
	"two in a row":  {alone: 60, stations: []station{{20, 1}, {30, 1}}},
	"shards":        {alone: 10, stations: []station{{300, 256}, {10, 1}}},
	"a few shards":  {alone: 50, stations: []station{{100, 4}}},
	"rarely locked": {alone: 5, stations: []station{{0.1, 1}}},
}

func TestAnalysisAndSimulationAgree(t *testing.T) {
	for name, w := range networks {
		for _, cores := range []int{1, 2, 4, 8, 32, 64} {
			t.Run(fmt.Sprintf("%s/%d", name, cores), func(t *testing.T) {
				t.Parallel()
				want := w.throughput(cores)[cores-1]
				got := w.simulate(cores, 60_000, exponential, 7)
				if math.Abs(got/want-1) > 0.03 {
					t.Errorf("simulated %.5g items/ns, analysis says %.5g", got, want)
				}
			})
		}
	}
}

func TestOneCoreNeverWaits(t *testing.T) {
	for name, w := range networks {
		cycle := w.alone
		for _, st := range w.stations {
			cycle += st.time
		}
		if got := 1 / w.throughput(1)[0]; math.Abs(got-cycle) > 1e-9*cycle {
			t.Errorf("%s: an item takes %v, want %v", name, got, cycle)
		}
	}
}

func TestThroughputStaysWithinItsBounds(t *testing.T) {
	for name, w := range networks {
		xs := w.throughput(256)
		for i, x := range xs {
			if bound := min(float64(i+1)*xs[0], w.limit()); x > bound*(1+1e-9) {
				t.Errorf("%s, %d cores: %v is above the bound of %v", name, i+1, x, bound)
			}
			if i > 0 && x < xs[i-1]*(1-1e-9) {
				t.Errorf("%s, %d cores: fewer than with one less", name, i+1)
			}
		}
	}
}

// The birth and death equations of the machine-repairman model have a closed
// solution.
func TestMachineRepairmanByHand(t *testing.T) {
	w := network{alone: 100, stations: []station{{50, 1}}}
	// p0 = 1 / sum over k of N!/(N-k)! (s/Z)^k, throughput = (1 - p0) / s.
	for n := 1; n <= 10; n++ {
		sum, term := 0.0, 1.0
		for k := 0; k <= n; k++ {
			sum += term
			term *= float64(n-k) * 50 / 100
		}
		want := (1 - 1/sum) / 50
		if got := w.throughput(n)[n-1]; math.Abs(got/want-1) > 1e-9 {
			t.Errorf("%d machines: %v, want %v", n, got, want)
		}
	}
}

func TestSimulationIsRepeatable(t *testing.T) {
	w := networks["shards"]
	if a, b := w.simulate(8, 10_000, exponential, 3), w.simulate(8, 10_000, exponential, 3); a != b {
		t.Errorf("%v and %v with the same seed", a, b)
	}
}

func TestConstantTimesQueueLess(t *testing.T) {
	w := networks["lock"]
	if c, e := w.simulate(8, 100_000, constant, 1), w.simulate(8, 100_000, exponential, 1); c < e {
		t.Errorf("constant times: %v items/ns, less than %v with exponential ones", c, e)
	}
}

func TestFitFindsTheExponent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range []float64{0, 0.5, 1, 1.1, 2} {
		var ns, totals []float64
		for range 10 {
			for n := 1e4; n <= 1e7; n *= 10 {
				ns, totals = append(ns, n), append(totals, 50*math.Pow(n, k)*math.Exp(r.NormFloat64()*0.05))
			}
		}
		f, ok := fitPower(ns, totals)
		if !ok || math.Abs(f.k-k) > 0.02 {
			t.Errorf("found %v, %t; want %v", f, ok, k)
		}
		if f.low >= f.k || f.high <= f.k || f.high-f.low > 0.03 {
			t.Errorf("interval %v … %v; want a narrow one around %v", f.low, f.high, f.k)
		}
	}
}

func TestFitNeedsDifferentPoints(t *testing.T) {
	for _, n := range [][]float64{nil, {10, 100}, {10, 10, 10, 10}} {
		if f, ok := fitPower(n, n); ok {
			t.Errorf("a fit of %v: %v", n, f)
		}
	}
}

func TestVerdictSaysWhatTheIntervalAllows(t *testing.T) {
	for _, c := range []struct {
		f    fit
		want string
	}{
		{fit{1, 0.99, 1.01}, "flat"},
		{fit{1, 0.9, 1.1}, "flat, by a wide interval"},
		{fit{1.05, 1.01, 1.09}, "undecided: the interval reaches into what is flat"},
		{fit{1.2, 1.1, 1.3}, "**not flat: grows**"},
		{fit{0.9, 0.88, 0.92}, "not flat: falls"},
	} {
		if got := c.f.verdict(); got != c.want {
			t.Errorf("%v: %q, want %q", c.f, got, c.want)
		}
	}
}
