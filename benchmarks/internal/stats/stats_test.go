package stats_test

import (
	"math"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

// Of ten values, the second and the second last are the ends of the interval: that
// fewer than two of ten are on one side of the median has a chance of 1.1 %, for
// each side, and fewer than three would be 5.5 %.
func TestSummaryOfTen(t *testing.T) {
	values := []float64{9, 1, 8, 2, 7, 3, 6, 4, 5, 100}
	s := stats.Summarize(values)
	if s != (stats.Summary{Median: 5.5, Lo: 2, Hi: 9, N: 10}) {
		t.Errorf("got %+v", s)
	}
	if values[0] != 9 {
		t.Error("the values were sorted in place")
	}
	if !s.Bounded() || !s.Within(8) || s.Within(9) || s.Within(1) {
		t.Errorf("wrong about what is within %+v", s)
	}
}

func TestTooFewForAnInterval(t *testing.T) {
	s := stats.Summarize([]float64{1, 2, 3, 4, 5})
	if s.Median != 3 || s.Bounded() || s.Within(3) || s.Spread() != "" || s.Times() != "3×" {
		t.Errorf("got %+v, %q, %q", s, s.Spread(), s.Times())
	}
	if s := stats.Summarize(make([]float64, stats.Least)); !s.Bounded() {
		t.Errorf("%d values have no interval", stats.Least)
	}
	if s := stats.Summarize(nil); !math.IsNaN(s.Median) || s.Bounded() || s.Times() != "–" {
		t.Errorf("of nothing: %+v", s)
	}
}

// The machine is three times as slow in some rounds, for both: the ratio knows of
// that, the quotient of the medians would not.
func TestRatioIsTakenRoundByRound(t *testing.T) {
	ours, peer := stats.Series{}, stats.Series{}
	for round, speed := range []float64{1, 1, 3, 3, 1, 1, 3} {
		ours[round], peer[round] = 10*speed, 25*speed
	}
	peer[7] = 1000             // a round that only one has
	ours[8], peer[8] = 0, 1000 // and one without a ratio
	s := peer.Over(ours)
	if s != (stats.Summary{Median: 2.5, Lo: 2.5, Hi: 2.5, N: 7}) {
		t.Errorf("got %+v", s)
	}
}

func TestFormat(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 1000: "1,000", -1234567: "-1,234,567",
		0.0021: "0.0021", 0.9997: "1.00", 0.12345: "0.123", 6.5: "6.50", 9.999: "10.0",
		40.25: "40.2", 99.96: "100", 123.4: "123", 12345.6: "12,346", math.Inf(1): "∞",
	} {
		if got := stats.Figure(v); got != want {
			t.Errorf("Figure(%v) is %q, want %q", v, got, want)
		}
	}
	s := stats.Summary{Median: 8.52, Lo: 8.1, Hi: 8.7, N: 10}
	if got := s.Times(); got != "8.52× (8.10–8.70)" {
		t.Errorf("Times is %q", got)
	}
	if got := s.Spread(); got != "± 5%" {
		t.Errorf("Spread is %q", got)
	}
}
